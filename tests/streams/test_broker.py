"""The local broker starts by itself, is found again, and leaves nothing behind."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner

from engagement.errors import Refused
from streams.broker import local
from streams.broker.command import broker as command
from streams.broker.libraries import VERSION, java, libraries
from streams.broker.state import BrokerState, last_state, process_start, read_state, write_state

MAKE_FOLDER = 'for word in "$@"; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done; mkdir -p $folder'
"""What a stand-in for Maven does first: it makes the folder it was told to fill."""


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's cache folder that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KAFKA_BOOTSTRAP", raising=False)
    return tmp_path / "mqa"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of which nothing is known but that it runs."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder on the path, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
    path.chmod(0o755)


def test_a_missing_program_is_named_with_the_line_that_installs_it(cache: Path, programs: Path) -> None:
    assert not cache.exists()
    with pytest.raises(Refused, match=r"`java` is not on the path.*apt-get install openjdk-17-jre-headless maven.*KAFKA_BOOTSTRAP"):
        java()
    with pytest.raises(Refused, match="`mvn` is not on the path"):
        libraries()
    assert list(programs.iterdir()) == []


def test_java_home_outranks_the_path(programs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(programs / "java", "exit 1")
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    script(tmp_path / "jdk" / "bin" / "java", "exit 0")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert java() == str(tmp_path / "jdk" / "bin" / "java")


def test_a_fetch_that_was_cut_off_is_not_taken_for_a_whole_one(cache: Path, programs: Path) -> None:
    script(programs / "mvn", f"{MAKE_FOLDER}; touch $folder/half.jar; echo '[ERROR] the line went dead'; exit 1")
    with pytest.raises(Refused, match=r"exit status 1\): \[ERROR\] the line went dead"):
        libraries()
    script(programs / "mvn", f"{MAKE_FOLDER}; touch $folder/whole.jar")
    assert [jar.name for jar in libraries().iterdir()] == ["whole.jar"]
    script(programs / "mvn", "exit 1")
    assert libraries() == cache / f"kafka-{VERSION}" / "libs"


@pytest.mark.usefixtures("cache")
def test_of_several_that_ask_at_once_one_fetches_and_the_others_wait(programs: Path) -> None:
    script(programs / "mvn", f"echo x >> {programs}/fetches; {MAKE_FOLDER}; touch $folder/one.jar; find / -maxdepth 2 > $folder/two.jar")
    with ThreadPoolExecutor(4) as askers:
        answers = list(askers.map(lambda _: sorted(jar.name for jar in libraries().iterdir()), range(4)))
    assert answers == [["one.jar", "two.jar"]] * 4
    assert (programs / "fetches").read_text() == "x\n"


def test_a_process_that_took_a_dead_brokers_id_is_neither_found_nor_killed(cache: Path, sleeper: subprocess.Popen[bytes]) -> None:
    left = cache / "brokers" / "broker-left"
    left.mkdir(parents=True)
    write_state(BrokerState(pid=sleeper.pid, started="another moment", bootstrap="127.0.0.1:1", folder=str(left)))
    assert read_state() is None
    assert local.stop_background() is None
    assert sleeper.poll() is None
    assert not left.exists()
    assert last_state() is None


def test_a_process_that_ended_has_no_start(sleeper: subprocess.Popen[bytes]) -> None:
    assert process_start(sleeper.pid) is not None
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert process_start(sleeper.pid) is None, "a zombie runs no more"


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "one"}'])
def test_a_state_file_that_cannot_be_read_counts_as_none(cache: Path, content: bytes) -> None:
    cache.mkdir()
    (cache / "broker.json").write_bytes(content)
    assert read_state() is None


def test_a_broker_that_cannot_start_is_told_with_the_end_of_its_log(cache: Path, programs: Path) -> None:
    script(programs / "java", "echo 'java.lang.UnsupportedClassVersionError: kafka/Kafka'; echo '  at a.b.C'; exit 1")
    (cache / f"kafka-{VERSION}" / "libs").mkdir(parents=True)
    with pytest.raises(Refused, match=r"did not start: .*UnsupportedClassVersionError: kafka/Kafka; it needs Java 17"):
        local.LocalBroker().start()
    assert list((cache / "brokers").iterdir()) == []


def test_a_port_that_was_taken_meanwhile_is_tried_again_elsewhere(cache: Path, programs: Path) -> None:
    tries = cache / "tries"
    script(
        programs / "java",
        f"case $* in *StorageTool*) exit 0;; esac; echo x >> {tries}; echo 'java.net.BindException: Address already in use'; exit 1",
    )
    (cache / f"kafka-{VERSION}" / "libs").mkdir(parents=True)
    with pytest.raises(Refused, match="Address already in use"):
        local.LocalBroker().start()
    assert len(tries.read_text().split()) == local.ATTEMPTS


def test_without_a_broker_status_says_so_and_fails(cache: Path) -> None:
    answer = CliRunner().invoke(command, ["status"])
    assert (answer.exit_code, answer.output) == (1, "no broker is running; `mqa broker start` starts one\n")
    assert "no broker was running" in CliRunner().invoke(command, ["stop"]).output
    assert not (cache / "broker.json").exists()
