"""Manifests compared, and what the diff shows of them."""

from cluster.sync.helm.manifests import diff, drift, job_of, objects

ONE = """\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
  text: |
    first
    --- not a new document
---
apiVersion: batch/v1
kind: Job
metadata: {name: a-1, labels: {app.kubernetes.io/component: job}}
"""
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {kept: hush, new: %s}\n"


def test_the_objects_of_a_manifest() -> None:
    assert list(objects(ONE)) == [("ConfigMap", "", "a"), ("Job", "", "a-1")]
    assert job_of(ONE) == "a-1"
    assert job_of("") is None


def test_the_diff_has_each_object_that_differs() -> None:
    other = ONE.replace("first", "second").replace("a-1", "a-2")
    assert diff(ONE, ONE) == ""
    text = diff(ONE, other)
    assert "--- ConfigMap/a (now)\n+++ ConfigMap/a (then)\n" in text
    assert "-    first\n+    second\n" in text
    assert "--- Job/a-1 (now)\n+++ (none)\n" in text
    assert "--- (none)\n+++ Job/a-2 (then)\n" in text


def test_the_diff_shows_that_a_secret_changes_and_not_what_it_holds() -> None:
    text = diff(SECRET % "before", SECRET % "after")
    assert "-  new: '*** (before)'\n+  new: '*** (after)'\n" in text
    assert "hush" not in text
    assert "hush" not in diff("", SECRET % "x")


def test_drift_is_told_by_field_and_noise_is_none() -> None:
    live = {
        "metadata": {"name": "a", "resourceVersion": "7", "managedFields": [{}], "generation": 2},
        "spec": {"replicas": 5, "ports": [{"port": 1}], "args": ["a", "b"]},
        "status": {"ready": 1},
    }
    would_be = {"metadata": {"name": "a"}, "spec": {"replicas": 1, "ports": [{"port": 2}], "args": ["a"]}}
    assert drift(live, would_be) == ["spec.args", "spec.ports[0].port", "spec.replicas"]
    assert drift(live, {**live, "status": {}}) == []
    assert drift(None, None) == ["it is gone"]
