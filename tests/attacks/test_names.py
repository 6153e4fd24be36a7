"""Names that are paths"""

from __future__ import annotations

import httpx
import pytest

from tests.attacks.test_smuggling import everything
from tests.support.attacks import attack
from tests.support.raw_http import connection, head
from tests.support.worlds import World

NAMES = "containers/data-processor/src/data_processor/datasets/names.py"
ONE_FORM = "A name is letters, digits, _ and -, in one form of Unicode"
OUTSIDE = [
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2fetc%2fpasswd",
    "..%5c..%5cx",
    "a%00b",
    "%EF%BC%8F..%EF%BC%8Fetc",
    "%E2%88%95etc",
    "%252e%252e%252f",
    ".work",
    ".readings",
    "a.csv",
    "a%2f..%2fb",
    "%E2%80%AEtxt",
    "~",
    "x" * 300,
]
REFUSED = (b"400", b"404", b"405", b"422")


@attack(threat="A dataset whose name leads out of its folder", control=ONE_FORM, file=NAMES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_dataset_cannot_be_put_outside_its_folder(port: int, name: str) -> None:
    headers = ("Content-Type: text/csv", "Content-Length: 4", "Connection: close")
    with connection(port) as client:
        client.sendall(head("PUT", f"/data/datasets/{name}", *headers, host="localhost") + b"a\n1\n")
        assert everything(client).split()[1] in REFUSED


@attack(threat="A file outside is read as a dataset", control=ONE_FORM, file=NAMES)
@pytest.mark.parametrize("name", OUTSIDE)
def test_no_file_outside_is_read_or_deleted_as_a_dataset(port: int, name: str) -> None:
    for method, path in (("GET", f"{name}/content"), ("GET", name), ("DELETE", name)):
        with connection(port) as client:
            client.sendall(head(method, f"/data/datasets/{path}", "Connection: close", host="localhost"))
            answer = everything(client)
        assert answer.split()[1] in REFUSED, answer[:300]
        assert b"root:" not in answer


@attack(threat="A path as the name of the data, of the output, or in SQL", control=ONE_FORM, file=NAMES)
@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", ".readings/x", "a\0b", "input", "／etc"])
def test_an_operation_reaches_no_path(api: httpx.Client, name: str) -> None:
    sql = {"operation": "sql", "query": "SELECT 1 AS a"}
    for body in ({"operation": "analyze", "data": {"dataset": name}}, sql | {"output": {"dataset": name}}):
        answer = api.post("/data/process", json=body)
        assert answer.status_code in (404, 422), answer.text[:300]
        assert "root:" not in answer.text


@attack(
    threat="The file name of an upload is a path",
    control="It only tells the format; the file has a name of ours",
    file="containers/data-processor/src/data_processor/routes/multipart.py",
)
def test_the_file_name_of_an_upload_is_no_path(api: httpx.Client, world: World) -> None:
    files = {"file": ("../../../../tmp/ai-semble-attack.csv", b"a\n1\n", "text/csv")}
    assert api.post("/data/process", data={"operation": "analyze"}, files=files).status_code == 200
    assert not [path for path in world.written_files() if "ai-semble-attack" in path]


@attack(
    threat="The name of a model is a path",
    control="Models are found in the catalogue, by their whole name",
    file="containers/ai-services/src/ai_services/models/store.py",
)
@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "lid-176/../../x", "..", "a\0b", "file:///etc/passwd"]
)
def test_a_model_is_no_path(api: httpx.Client, name: str) -> None:
    chat = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2, "model": name}
    for path, body in (("/v1/chat/completions", chat), ("/v1/embeddings", {"input": "x", "model": name})):
        answer = api.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found"), answer.text


@attack(
    threat="The id of a job is a path",
    control="Jobs are rows of a database; a path has no slash in it",
    file="containers/orchestrator/src/orchestrator/jobs/store.py",
)
@pytest.mark.parametrize("name", ["%2e%2e%2f", "..%2f..%2fetc%2fpasswd", "%00", "' OR 1=1 --", "a" * 5000])
def test_a_job_is_no_path_and_no_sql(api: httpx.Client, name: str) -> None:
    for path in (f"/jobs/{name}", f"/jobs/{name}/result", f"/jobs/{name}/events"):
        assert str(api.get(path).status_code).encode() in REFUSED


@attack(
    threat="Static files: a path out of the folder",
    control="The page's files are a table, not a folder",
    file="containers/orchestrator/src/orchestrator/routes/docs.py",
)
@pytest.mark.parametrize(
    "path", ["/docs/../../etc/passwd", "/docs/..%2f..%2fapp.py", "/docs/%2e%2e/app.py", "//etc/passwd"]
)
def test_the_documentation_serves_only_its_own_files(port: int, path: str) -> None:
    with connection(port) as client:
        client.sendall(head("GET", path, "Connection: close", host="localhost"))
        assert everything(client).split()[1] == b"404"


@attack(threat="Two names that look the same are two datasets", control=ONE_FORM, file=NAMES)
@pytest.mark.parametrize("name", ["ｓａｌｅｓ", "Sales", "saleſ"])
def test_a_name_in_another_form_is_no_second_dataset(api: httpx.Client, name: str) -> None:
    answer = api.put(f"/data/datasets/{name}", content=b"a\n1\n", headers={"Content-Type": "text/csv"})
    assert answer.json()["code"] == "invalid_dataset_name"
