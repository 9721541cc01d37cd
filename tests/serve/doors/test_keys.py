"""Keys: made, kept as hashes, read, refused."""

import stat

import pytest

from strop.cli import main
from strop.errors import InputError
from strop.serve.doors.keys import KeyRing, Scope, digest
from strop.serve.doors.reloaded import Reloaded


@pytest.fixture
def new_key(tmp_path, capsys):
    """Runs ``strop keys new``; gives the exit code and what was printed."""

    def run(*words):
        code = main(["keys", "new", str(tmp_path / "keys.toml"), *words])
        said = capsys.readouterr()
        return code, said.out.strip(), said.err

    return run


def test_a_new_key_is_printed_once_and_its_hash_alone_is_kept(tmp_path, new_key):
    code, key, _ = new_key(
        "--id", "shop-7", "--scopes", "infer", "admin", "--models", "reviews", "--concurrent", "4"
    )
    file = tmp_path / "keys.toml"
    assert code == 0
    secret = key.removeprefix("shop-7.")
    assert len(secret) == 43
    assert secret not in file.read_text()
    assert digest(secret) in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = KeyRing.read(file).by_secret(key)
    assert found.scopes == {Scope.INFER, Scope.ADMIN}
    assert found.models == {"reviews"}
    assert found.quota.concurrent == 4


def test_a_second_key_leaves_the_first_and_the_owner_s_comments(tmp_path, new_key):
    _, first, _ = new_key("--id", "one")
    file = tmp_path / "keys.toml"
    file.write_text("# ours\n" + file.read_text())
    _, second, _ = new_key("--id", "two", "--certificate", "shop.example")
    assert second == ""
    keys = KeyRing.read(file)
    assert keys.by_secret(first).id == "one"
    assert keys.by_certificate(["other", "shop.example"]).id == "two"
    assert file.read_text().startswith("# ours\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--id", "one"), "--id one is in"),
        (("--id", "a.b"), "the id 'a.b' has something else than letters"),
        (("--id", "two", "--scopes", "everything"), "the scopes are 'everything'; give some of infer"),
        (("--id", "two", "--concurrent", "-1"), "concurrent of key two is -1; it must be above 0"),
    ],
)
def test_a_key_that_can_t_be_is_refused_and_the_file_stays(tmp_path, new_key, words, message):
    new_key("--id", "one")
    before = (tmp_path / "keys.toml").read_text()
    code, printed, said = new_key(*words)
    assert (code, printed) == (2, "")
    assert message in said
    assert [path.read_text() for path in tmp_path.iterdir()] == [before]


@pytest.mark.parametrize(
    "presented", ["", ".", "one", "one.", "one.wrong", "two.right", ".right", "one.right ", "right"]
)
def test_what_is_not_a_key_whole_is_nobody_s(tmp_path, presented):
    file = tmp_path / "keys.toml"
    file.write_text(f'[keys.one]\nsha256 = "{digest("right")}"\nscopes = ["infer"]\n')
    keys = KeyRing.read(file)
    assert keys.by_secret("one.right").id == "one"
    assert keys.by_secret(presented) is None


def test_no_secret_opens_a_key_of_a_certificate(tmp_path):
    file = tmp_path / "keys.toml"
    file.write_text('[keys.one]\ncertificate = "shop"\nscopes = ["infer"]\n')
    assert KeyRing.read(file).by_secret("one.") is None
    assert KeyRing.read(file).by_secret("one." + "0" * 64) is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("", "has neither sha256 nor certificate"),
        ('sha256 = "abc"', "not 64 hexadecimal digits"),
        ('certificate = "a"', "the scopes are none"),
        ('certificate = "a"\nscopes = "infer"', "scopes of key one is 'infer'; give a list"),
        ('certificate = "a"\nscopes = ["infer"]\nqouta = 1', "has qouta, which mean nothing"),
        ('certificate = "a"\nscopes = ["infer"]\nconcurrent = 1.5', "give a whole number"),
        ('certificate = "a"\nscopes = ["infer"]\ntexts_per_second = true', "give a number"),
        ('certificate = "a"\nscopes = ["infer"]\ndollars_per_day = 1', "give --dollars-per-hour"),
        (
            'certificate = "a"\nscopes = ["infer"]\n[keys.two]\ncertificate = "a"\nscopes = ["infer"]',
            "keys one and two have the same certificate",
        ),
        ("scopes =", "can't be read"),
    ],
)
def test_a_key_file_with_a_fault_is_refused_by_its_name(tmp_path, entries, message):
    file = tmp_path / "keys.toml"
    file.write_text(f"[keys.one]\n{entries}\n")
    with pytest.raises(InputError, match=message) as refused:
        KeyRing.read(file, priced=False)
    assert str(file) in str(refused.value)


def test_files_are_read_again_when_they_change_and_a_broken_one_changes_nothing(tmp_path, caplog):
    file, now = tmp_path / "value", [0.0]
    file.write_text("1")

    def read():
        try:
            return int(file.read_text())
        except ValueError as error:
            raise InputError("no number") from error

    value = Reloaded([file], read, clock=lambda: now[0])
    for content, expected in (("22", 22), ("broken", 22), ("broken more", 22), ("333", 333)):
        file.write_text(content)
        assert value.get() != expected or "broken" in content  # it looks once a second
        now[0] += 1
        assert value.get() == expected
    file.unlink()
    now[0] += 1
    assert value.get() == 333
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "ERROR", "ERROR", "WARNING", "ERROR"]
