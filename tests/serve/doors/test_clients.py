"""Our own clients against a locked server of several processes."""

from strop.cli import main


def test_query_and_health_get_in_with_certificate_and_key_and_not_without(
    start_server, tiny_bundle, authority, tmp_path, capsys, monkeypatch
):
    monkeypatch.delenv("STROP_API_KEY", raising=False)
    keys, secret = tmp_path / "keys.toml", tmp_path / "secret"
    assert main(["keys", "new", str(keys), "--id", "shop"]) == 0
    secret.write_text(capsys.readouterr().out)
    (certificate, key), (own, own_key) = authority.issue("server"), authority.issue("client")
    locks = ["--tls-certificate", certificate, "--tls-key", key, "--tls-client-ca", authority.file]
    words = map(str, [*locks, "--keys", keys, "--workers", "2"])
    address = start_server(tiny_bundle, *words).address

    tls = ["--ca", str(authority.file), "--certificate", str(own), "--key", str(own_key)]
    query = ["query", address, "good film", "--timeout", "20", *tls]
    assert main([*query, "--api-key-file", str(secret)]) == 0
    assert "tiny 3 fp32" in capsys.readouterr().out
    assert main(["health", address, *tls]) == 0
    assert main(query) == 2
    assert "has no API key" in capsys.readouterr().err
    monkeypatch.setenv("STROP_API_KEY", secret.read_text())
    assert main(query) == 0
    assert main(["health", address]) == 1
