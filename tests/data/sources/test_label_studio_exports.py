"""Fields and files of an export of Label Studio: which pictures it names, and damage of every kind."""

import base64
import json
import math
import random
from pathlib import Path

import pytest

from convoy.data.sources import label_studio
from convoy.data.sources._pictures import Pictures
from convoy.data.sources._references import find
from convoy.errors import DataError
from tests.data.sources.anything import mutated
from tests.data.sources.label_studio_scans import data, pictures, scanned
from tests.data.sources.toys_label_studio import annotation, choice, point, task, write_export


def test_of_several_fields_with_pictures_the_one_called_image_is_taken(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    tasks = [task(1, "1.jpg", [annotation(choice("dog"))], thumbnail="thumb/1.png")]
    assert scanned(tmp_path, tasks).samples["path"].tolist() == ["1.jpg"]
    tasks[0]["data"]["photo"] = tasks[0]["data"].pop("image")
    with pytest.raises(DataError, match="several fields of the tasks name pictures: photo, thumbnail"):
        scanned(tmp_path, tasks)
    del tasks[0]["data"]["thumbnail"]
    assert scanned(tmp_path, tasks).samples["path"].tolist() == ["1.jpg"]
    tasks[0]["data"]["photo"] = "no picture at all"
    with pytest.raises(DataError, match="no field of the tasks names pictures"):
        scanned(tmp_path, tasks)


FILES = [
    "media/upload/7/0a1b2c3d-cat.jpg",
    "old/dog.jpg",
    "a/1.jpg",
    "b/1.jpg",
    "b/c/1.jpg",
    "数据/猫 咪.jpg",
    "e\u0301.jpg",
]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/data/upload/7/0a1b2c3d-cat.jpg", "media/upload/7/0a1b2c3d-cat.jpg"),
        ("/data/upload/9/ffffffff-dog.jpg", "old/dog.jpg"),
        ("/data/local-files/?d=home/me/b/1.jpg", "b/1.jpg"),
        ("/data/local-files/?d=%E6%95%B0%E6%8D%AE/%E7%8C%AB%20%E5%92%AA.jpg", "数据/猫 咪.jpg"),
        ("/data/local-files/?d=数据\\猫 咪.jpg", "数据/猫 咪.jpg"),
        ("s3://bucket/x/a/1.jpg", "a/1.jpg"),
        ("gs://bucket/dog.jpg", "old/dog.jpg"),
        ("https://host:8080/old/dog.jpg?X-Amz-Signature=1#x", "old/dog.jpg"),
        (
            "/tasks/1/presign/?fileuri=" + base64.urlsafe_b64encode(b"s3://bkt/b/c/1.jpg").decode(),
            "b/c/1.jpg",
        ),
        ("b/c/1.jpg", "b/c/1.jpg"),
        ("C:\\pictures\\a\\1.jpg", "a/1.jpg"),
        ("../../etc/dog.jpg", "old/dog.jpg"),
        ("\u00e9.jpg", "e\u0301.jpg"),
        ("s3://bucket/100%25/dog.jpg", "old/dog.jpg"),
    ],
)
def test_references_of_every_form_are_looked_up_below_the_data_folder(reference: str, expected: str) -> None:
    assert find(reference, Pictures(FILES)) == (expected, None)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("https://host/nowhere.jpg", "no file called 'nowhere.jpg' lies below the data folder"),
        ("s3://bucket/1.jpg", "the reference fits 3 files: a/1.jpg, b/1.jpg, b/c/1.jpg"),
        ("/etc/passwd", "no file called 'passwd'"),
        ("https://x/ffffffff-dog.jpg", "no file called"),
        ("data:image/png;base64,AAAA", "names no file"),
        ("/tasks/1/presign/?fileuri=%%%", "names no file"),
        ("http://[bad/dog.jpg", "names no file"),
        ("", "names no picture"),
        (None, "names no picture"),
        (["a/1.jpg"], "names no picture"),
    ],
)
def test_references_without_a_file_are_problems(reference: object, message: str) -> None:
    path, said = find(reference, Pictures(FILES))
    assert path is None
    assert message in str(said)


def test_a_missing_picture_is_the_problem_of_its_sample_and_nothing_is_fetched(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    tasks = [
        task(1, "1.jpg", [annotation(choice("dog"))]),
        task(2, "http://127.0.0.1:9/2.jpg", [annotation(choice("dog"))]),
        task(3, None, [annotation(choice("dog"))]),
        task(4, None, [annotation(choice("dog"))]),
    ]
    scan = scanned(tmp_path, tasks)
    assert scan.samples["path"].tolist() == ["1.jpg", "no file/2.jpg", "no file/3", "no file/4"]
    assert "no file called '2.jpg' lies below the data folder" in scan.samples["problem"][1]
    assert scan.samples["problem"][2] == "export.json:task 3: the task names no picture"
    with pytest.raises(DataError):
        label_studio.reader(tmp_path, data())("no file/2.jpg")


def test_no_picture_at_all_is_an_error_of_the_whole(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none is found; the first is 's3://b/1\.jpg'"):
        scanned(tmp_path, [task(1, "s3://b/1.jpg", [annotation(choice("dog"))])])


def test_different_references_to_one_file_are_problems(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg")
    tasks = [
        task(1, "s3://bucket/a/1.jpg", [annotation(choice("dog"))]),
        task(2, "s3://bucket/b/1.jpg", [annotation(choice("cat"))]),
        task(3, "s3://bucket/b/2.jpg", [annotation(choice("cat"))]),
    ]
    said = scanned(tmp_path, tasks).samples["problem"].tolist()
    assert [each and each.partition(": ")[2] for each in said] == [
        "2 different references fit the file 1.jpg",
        "2 different references fit the file 1.jpg",
        None,
    ]


def test_a_picture_in_two_tasks_is_two_samples(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg", "1.jpg#2")
    tasks = [task(number, "1.jpg", [annotation(choice("dog"))]) for number in (1, 2, 3)]
    tasks.append(task(4, "1.jpg#2", [annotation(choice("dog"))]))
    scan = scanned(tmp_path, tasks)
    assert scan.samples["path"].is_unique
    read = label_studio.reader(tmp_path, data())
    last = scan.samples["path"].tolist()[-1]
    assert read(scan.samples["path"][0]) == (tmp_path / "1.jpg").read_bytes()
    assert read(last) == (tmp_path / "1.jpg#2").read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1 is no JSON"),
        ('[{"id": 1,\n "data": }]', "line 2, column 10 is no JSON"),
        ("[1, 2]", "it is no list of objects"),
        ("3", "it is no list of objects"),
        ("[]", "it holds no tasks"),
        ('[{"id": 1, "data": {}}, {"id": 2}]', "entry 2 has no `data`"),
        ('[{"id": 1, "data": {}, "annotations": 3}]', "the annotations of task 1 are no list"),
        ('[{"id": 1, "data": {}, "annotations": [3]}]', "an annotation of task 1 is no object"),
        ("[" * 100_000, "nested too deeply"),
        ("[" + "9" * 5000 + "]", "cannot be read"),
    ],
)
def test_a_damaged_export_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    pictures(tmp_path, "1.jpg")
    with pytest.raises(DataError) as error:
        scanned(tmp_path, text)
    assert message in str(error.value)
    assert "export.json" in error.value.where
    assert error.value.fix


def test_an_export_that_is_not_utf8_is_refused_with_its_place(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    (tmp_path / "export.json").write_bytes('[{"id": 1,\n "a": "啊"}]'.encode("gbk"))
    with pytest.raises(DataError, match="line 2, column 8 is not UTF-8"):
        label_studio.scan(tmp_path, data())


@pytest.mark.parametrize("text", ["", "id,image\n", 'id,image\n1,"1.jpg\n', "a,b\n1,2,3\n1,2\n"])
def test_a_damaged_table_is_refused(tmp_path: Path, text: str) -> None:
    pictures(tmp_path, "1.jpg")
    (tmp_path / "export.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"export\.csv"):
        label_studio.scan(tmp_path, data("csv"))


def test_a_table_in_the_encoding_of_a_spreadsheet_is_read_and_noted(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    write_export(tmp_path, [task(1, "1.jpg", [annotation(choice("小猫咪"))])], "csv")
    path = tmp_path / "export.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    scan = label_studio.scan(tmp_path, data("csv"))
    assert scan.samples["target"].tolist() == ["小猫咪"]
    assert "gb18030" in scan.notes[0]


def test_a_table_with_semicolons_is_read(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    (tmp_path / "export.csv").write_text("id;image;kind\n1;1.jpg;dog, big\n", encoding="utf-8")
    assert label_studio.scan(tmp_path, data("csv")).samples["target"].tolist() == ["dog, big"]


def test_a_missing_export_is_refused_with_the_likeliest(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    (tmp_path / "exports.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match=r"did you mean 'exports\.json'"):
        label_studio.scan(tmp_path, data())


def test_no_annotation_at_all_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    for annotations in ([], [annotation(choice("dog"), was_cancelled=True)]):
        with pytest.raises(DataError, match="no task of the export is annotated"):
            scanned(tmp_path, [task(1, "1.jpg", annotations)])
    with pytest.raises(DataError, match="no single control of Choices or KeyPointLabels; there are: none"):
        scanned(tmp_path, [task(1, "1.jpg", [annotation()])])


@pytest.mark.parametrize("form", ["json", "json_min"])
@pytest.mark.parametrize("seed", range(150))
def test_exports_with_anything_in_the_place_of_anything_never_crash(
    tmp_path: Path, seed: int, form: str
) -> None:
    draw = random.Random(seed)
    pictures(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    result = choice if seed % 2 else (lambda name: point(name, 5, 6))
    tasks = [
        task(number, f"{number}.jpg", [annotation(result("a")), annotation(result("b"))])
        for number in (1, 2, 3)
    ]
    write_export(tmp_path, tasks, form)
    content = json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))
    write_export(tmp_path, json.dumps(mutated(content, draw)))
    try:
        scan = label_studio.scan(tmp_path, data())
    except DataError:
        return
    assert scan.samples["path"].is_unique
    for flat in scan.samples.get("keypoints", []):
        assert flat is None or all(math.isfinite(number) for number in flat)
