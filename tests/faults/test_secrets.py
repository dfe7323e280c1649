"""S9: a secret in the environment or on the command line is nowhere in what a run leaves or prints."""

from tests.faults.conftest import clean_arguments

CANARY = "canary-4f1d2c9e8b7a"


def test_no_file_and_no_line_holds_the_secret(tmp_path, rows, posttrain, here, monkeypatch):
    environment = {"OPENAI_API_KEY": CANARY, "MY_SECRET": CANARY}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    runs = [
        posttrain(*clean_arguments(rows)),
        here(*clean_arguments(rows, f"polcy={CANARY}")),
        here(*clean_arguments(rows, f"policy={CANARY}")),
        here(*clean_arguments(rows), "--dry-run"),
        here("status", "."),
        here("why", CANARY, "--run", "."),
    ]
    assert [code for code, _, _ in runs] == [0, 2, 2, 0, 0, 2]
    assert not [text for _, out, err in runs for text in (out, err) if CANARY in text]
    assert [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()] == []
