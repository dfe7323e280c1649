"""Logs: plain lines, secrets masked (S9)."""

from utils.runs.logs import Progress, close_log, open_log, redact, redact_tree


def test_values_of_secret_variables_and_known_shapes_are_masked(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "canary-abcdef")
    monkeypatch.setenv("HARMLESS", "visible-abcdef")
    assert redact("got canary-abcdef and visible-abcdef") == "got *** and visible-abcdef"
    assert redact("key sk-abcdefghijkl end") == "key *** end"
    assert redact_tree({"a": ["canary-abcdef", 1, None]}) == {"a": ["***", 1, None]}


def test_log_file_and_stderr_are_redacted_tracebacks_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SOME_API_KEY", "canary-abcdef")
    log = open_log("test", tmp_path / "log.txt")
    try:
        raise ValueError("bad canary-abcdef")
    except ValueError:
        log.exception("with canary-abcdef")
    close_log(log)
    text = (tmp_path / "log.txt").read_text() + capsys.readouterr().err
    assert "canary" not in text
    assert text.count("***") >= 4


def test_progress_is_plain_lines_without_a_terminal(capsys):
    log = open_log("test", None)
    with Progress(log, 3, "rows") as progress:
        progress.step(3)
    close_log(log)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "rows: 3 of 3" in lines[0]
    assert "\r" not in lines[0]
