"""``mqa rulebook``: what a person sees of a rulebook, good or broken."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from engagement.errors import Refused
from engagement.rulebook import default_rulebook_text, load_rulebook
from streams.rulebooks import read_rulebook, rulebook


def test_show_prints_a_rulebook_that_check_accepts(tmp_path: Path):
    shown = CliRunner().invoke(rulebook, ["show"])
    file = tmp_path / "rulebook.yaml"
    file.write_text(shown.output)
    checked = CliRunner().invoke(rulebook, ["check", str(file)])
    assert checked.exit_code == 0
    assert load_rulebook(default_rulebook_text(), "default").version in checked.output


def test_show_file_writes_every_default_out_and_keeps_the_version(tmp_path: Path):
    file = tmp_path / "rulebook.yaml"
    file.write_text("signals: {page: {points: 1}}\nstage: {engaged: {enter: {score: 1}}}\n")
    shown = CliRunner().invoke(rulebook, ["show", str(file)]).output
    assert "history_days: 120" in shown
    assert load_rulebook(shown, "shown").version == read_rulebook(file).version


def test_a_missing_file_is_refused_with_the_command_that_makes_one(tmp_path: Path):
    with pytest.raises(Refused, match=r"none\.yaml: No such file or directory; .*mqa rulebook show > rulebook\.yaml"):
        read_rulebook(tmp_path / "none.yaml")


def test_a_folder_and_a_file_that_is_no_text_are_refused(tmp_path: Path):
    with pytest.raises(Refused, match="Is a directory"):
        read_rulebook(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"signals: \xff\xfe")
    with pytest.raises(Refused, match="byte 9 is not UTF-8"):
        read_rulebook(tmp_path / "binary.yaml")


def test_a_file_that_is_too_large_is_refused_with_its_size(tmp_path: Path):
    (tmp_path / "large.yaml").write_text("#" * 10_000_000)
    with pytest.raises(Refused, match=r"large\.yaml: has 10000000 bytes, must have at most 262144; shorten it"):
        read_rulebook(tmp_path / "large.yaml")


def test_a_device_without_an_end_is_refused():
    with pytest.raises(Refused, match=r"/dev/zero: has 262145 bytes, must have at most 262144"):
        read_rulebook(Path("/dev/zero"))


def test_a_line_feed_in_a_file_name_does_not_break_the_line(tmp_path: Path):
    file = tmp_path / "a\nb.yaml"
    with pytest.raises(Refused, match=r"a\\nb\.yaml: No such file"):
        read_rulebook(file)
    file.write_text(default_rulebook_text())
    assert CliRunner().invoke(rulebook, ["check", str(file)]).output.count("\n") == 1
    file.write_text("sygnals: {}")
    with pytest.raises(Refused, match=r"a\\nb\.yaml: sygnals is no key known here"):
        read_rulebook(file)
