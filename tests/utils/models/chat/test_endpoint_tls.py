"""https: a certificate that cannot be trusted is refused before anything is sent (S10)."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from tests.support.chat_server import chat_server
from tests.utils.models.chat.asking import ask_for, opened
from utils.errors import UserError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Self-signed ones of today: for this machine's address, and for another name."""
    folder = tmp_path_factory.mktemp("certificates")

    def made(name, names):
        key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
        words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        words += ["-keyout", key, "-out", certificate, "-days", "2", "-subj", f"/CN={name}"]
        subprocess.run([*words, "-addext", f"subjectAltName={names}"], check=True, capture_output=True)
        return certificate, key

    return {"ours": made("ours", "IP:127.0.0.1,DNS:localhost"), "other": made("other", "DNS:other.example.com")}


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once_and_nothing_is_sent(tmp_path, certificates):
    begun = time.monotonic()
    with chat_server(certificate=certificates["ours"]) as server:
        with (
            opened(server, tmp_path, limits={"first_wait_s": 30, "longest_wait_s": 30}) as model,
            pytest.raises(UserError, match=r"certificate is refused: self.signed certificate"),
        ):
            model.ask(ask_for("secret text"))
        assert not server.calls
    assert time.monotonic() - begun < 20


def test_one_that_the_user_vouches_for_is_taken(tmp_path, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["ours"][0]))
    with chat_server(certificate=certificates["ours"]) as server, opened(server, tmp_path) as model:
        assert model.ask(ask_for("a"))[0].text == "echo a"
        assert model.ask(ask_for("b"))[0].text == "echo b"
        assert len(server.calls) == 2


def test_one_of_another_host_is_refused_whoever_vouches_for_it(tmp_path, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["other"][0]))
    with chat_server(certificate=certificates["other"]) as server:
        with opened(server, tmp_path) as model, pytest.raises(UserError, match="certificate is refused: IP address"):
            model.ask(ask_for("secret text"))
        assert not server.calls


def test_the_embedding_client_refuses_too(tmp_path, certificates):
    from data_pipeline.attributes.embedding_client import open_client
    from data_pipeline.attributes.kinds.endpoint_embedding import EndpointEmbedding

    with chat_server(certificate=certificates["ours"]) as server:
        config = EndpointEmbedding(base_url=server.url, model="m", dimensions=2)
        with open_client(config, tmp_path) as client, pytest.raises(UserError, match="certificate is refused"):
            client.embed(["secret text"])
        assert not server.calls
