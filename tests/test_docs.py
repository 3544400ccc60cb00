"""The README: every command in it works, its experiment is one, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT

from adamcli import config, plugins
from adamcli.cli.main import run
from adamcli.settings import settings_of

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for language, block in BLOCKS
    if language == "sh"
    for line in block.splitlines()
    if line.startswith("adamcli ")
]


def test_the_readme_has_commands():
    assert len(COMMANDS) >= 7


def test_every_command_of_the_readme_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in COMMANDS:
        args = shlex.split(command.replace("tests/data", f"{ROOT}/tests/data"))[1:]
        if args[0] in ("run", "compare"):
            args += ["--set", "train.epochs=1", "--no-figures"]
        assert run(args) == 0, (command, capsys.readouterr().err)


def test_the_two_commands_of_a_newcomer_are_there():
    start = "python3 -m venv .venv && .venv/bin/pip install -q -e "
    assert f"{start}. && .venv/bin/adamcli run configs/spiral.yaml" in README
    assert f"{start}'.[test]' && .venv/bin/pytest" in README


def test_every_command_is_in_the_readme(capsys):
    run(["--help"])
    listed = re.findall(r"^  ([a-z-]+)  ", capsys.readouterr().out.split("Commands:")[1], re.M)
    missing = [name for name in listed if not re.search(rf"`(adamcli )?{name}\b", README)]
    assert not missing


def test_the_experiments_of_the_readme_load(tmp_path):
    runs = []
    for block in (block for language, block in BLOCKS if language == "yaml"):
        path = tmp_path / "readme.yaml"
        path.write_text(block)
        if block.startswith("claim:"):
            config.load_claims([path])
        else:
            runs.append(len(config.load(path).runs))
    assert runs == [3 * 3 * 20, 2 * 2 * 10, 2 * 20]


def test_every_shipped_claim_is_in_the_readme():
    for claim in config.load_claims(config.shipped(config.CLAIM)):
        assert f"[{claim.sentence}]({claim.file})" in README


def test_the_optimizer_of_the_readme_is_the_shipped_one(tmp_path):
    (block,) = (block for language, block in BLOCKS if language == "python")
    (tmp_path / "plain_sign.py").write_text(block)
    shipped = plugins.load(ROOT / "configs/plugins/plain_sign.py").rule_class
    printed = plugins.load(tmp_path / "plain_sign.py").rule_class
    assert settings_of(printed) == settings_of(shipped)
    for method in ("init", "update"):
        code = [getattr(cls, method).__code__ for cls in (printed, shipped)]
        assert code[0].co_names == code[1].co_names
        assert code[0].co_code == code[1].co_code


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_local_links_and_named_files_exist(path):
    text = (ROOT / path).read_text()
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    files = re.findall(r"`((?:configs|tests|adamcli)/[\w./-]+\.\w+)`", text)
    for name in [*links, *files]:
        assert (ROOT / name).exists(), name


def test_every_shipped_experiment_is_in_the_readme():
    for path in Path(ROOT / "configs").glob("*.yaml"):
        assert f"`configs/{path.name}`" in README
