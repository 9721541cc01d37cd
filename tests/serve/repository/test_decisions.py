"""Which versions are served, loaded and unloaded: decided without loading anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.serve.repository.key import Key, later
from strop.serve.repository.policy import VersionPolicy, plan
from strop.serve.repository.room import Tenant, make_room

KEYS = st.builds(Key, st.sampled_from("ab"), st.sampled_from(["1", "2", "3", "10"]))
MARKS = st.dictionaries(KEYS, st.sampled_from("xy"))


def test_versions_rise_by_their_numbers():
    names = ["10", "9", "1.10", "1.9", "2-rc", "2", "beta"]
    assert sorted(names, key=later) == ["1.9", "1.10", "2", "2-rc", "9", "10", "beta"]


@pytest.mark.parametrize(
    ("policy", "versions"),
    [("latest:1", "10"), ("latest:2", "9 10"), ("all", "1 9 10"), ("listed:1,9", "1 9")],
)
def test_a_policy_chooses_by_name(policy: str, versions: str):
    found = [Key("a", "9"), Key("a", "10"), Key("a", "1"), Key("b", "1")]
    chosen = VersionPolicy.parse(policy).choose(found)
    assert {key for key in chosen if key.name == "a"} == {Key("a", one) for one in versions.split()}
    assert Key("b", "1") in chosen


@pytest.mark.parametrize("text", ["", "latest", "latest:0", "latest:x", "all:1", "listed:", "listed:1,,2"])
def test_another_policy_is_refused(text: str):
    with pytest.raises(ValueError, match="latest:1, all, or listed"):
        VersionPolicy.parse(text)


@given(wanted=MARKS, loaded=MARKS, failed=MARKS)
def test_a_plan_ends_in_what_is_wanted_and_leaves_no_name_unserved(wanted, loaded, failed):
    steps = plan(wanted, loaded, failed)
    # What failed is tried again only when it has changed; what is right already is left alone.
    assert all(wanted[key] not in (loaded.get(key), failed.get(key)) for key in steps.load)
    then = {**loaded, **{key: wanted[key] for key in steps.load}}
    for key in steps.unload:
        del then[key]
    right = {key: mark for key, mark in wanted.items() if failed.get(key) != mark}
    assert right.items() <= then.items()
    for name in {key.name for key in wanted} & {key.name for key in loaded}:
        assert any(key.name == name for key in then)
    for key in then.keys() - wanted.keys():  # kept only where nothing of its name can take over
        assert not any(one.name == key.name for one in right)


@given(
    tenants=st.lists(st.tuples(st.integers(1, 100), st.floats(0, 100)), max_size=8),
    needed=st.integers(0, 150),
    bound=st.integers(1, 200),
)
def test_room_is_made_by_the_least_recently_used_and_no_more_than_needed(tenants, needed, bound):
    there = [Tenant(Key("a", str(i)), size, used) for i, (size, used) in enumerate(tenants)]
    gone = make_room(there, needed, bound)
    if needed > bound:
        assert gone is None
        return
    assert gone is not None
    staying = [tenant for tenant in there if tenant.key not in gone]
    held = sum(tenant.bytes for tenant in staying)
    assert held + needed <= bound
    if gone:
        last = next(tenant for tenant in there if tenant.key == gone[-1])
        assert held + last.bytes + needed > bound
        assert all(tenant.used >= last.used for tenant in staying)
