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
