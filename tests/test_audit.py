"""What is made of pip-audit's report."""

from strop.audit import findings


def test_a_vulnerability_is_named_with_what_mends_it():
    packages = [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "skipped", "skip_reason": "not on PyPI"},
        {
            "name": "leaky",
            "version": "2.0",
            "vulns": [
                {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"], "description": "…"},
                {"id": "PYSEC-2", "aliases": [], "fix_versions": [], "description": "…"},
            ],
        },
    ]
    assert findings(packages) == [
        "leaky 2.0: PYSEC-1, CVE-1; fixed in 2.1",
        "leaky 2.0: PYSEC-2; fixed in no version yet",
    ]
