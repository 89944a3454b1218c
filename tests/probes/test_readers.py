"""Data in the shapes in which people have it: read as it was meant, or refused with the row and the way out."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from probes.cases import Row
from probes.corpus import Corpus, CorpusError, read_corpus
from probes.corpus.readers import open_table, source

MOOD = ("negative", "positive")
UNNAMED = ("LABEL_0", "LABEL_1")
STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, labels: tuple[str, ...] = MOOD, **columns: str) -> str:
    with pytest.raises(CorpusError) as caught:
        read_corpus(path, labels=labels, **columns)
    return f"{caught.value.message} | {caught.value.hint}"


def told(corpus: Corpus) -> list[tuple[str, int | None]]:
    return [(row.text, row.label) for row in corpus.rows]


TRUNCATED = gzip.compress("\n".join(["text", *(f"{i * i:x}" for i in range(20_000))]).encode(), mtime=0)[:-5000]
GOOD_BAD = [("good, really", 1), ("bad", 0)]
COLUMNS = '{"text": ["good, really", "bad"], "label": [1, 0]}'
ARRAY = '[{"text": "good, really", "label": 1}, {"text": "bad", "label": 0}]'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "text;label\ngood, really;1\nbad;0\n", "semicolon"),
        ("a.csv", "text\tlabel\ngood, really\t1\nbad\t0\n", "tab"),
        ("a.csv", 'sep=;\r\n"text";"label"\r\n"good, really";1\r\nbad;0\r\n', "semicolon"),
        ("a.tsv", 'text,label\n"good, really",1\nbad,0\n', "comma"),
        ("a.csv", 'text,label\r"good, really",1\rbad,0\r', "carriage return"),
        ("a.tsv", "text\tlabel\rgood, really\t1\rbad\t0", "carriage return"),
        ("a.csv", 'text,label\r\n"good, really",1\r\nbad,0\r\n'.encode("utf-16"), "UTF-16"),
        ("a.tsv", "text\tlabel\ngood, really\t1\nbad\t0\n".encode("utf-16-le"), "UTF-16"),
        ("a.tsv", "text\tlabel\ngood, really\t1\nbad\t0\n".encode("utf-16-be"), "UTF-16"),
        ("a.jsonl", '{"text": "good, really", "label": 1}\n{"text": "bad", "label": 0}\n'.encode("utf-32"), "UTF-32"),
        ("a.csv.gz", gzip.compress(b'text,label\n"good, really",1\nbad,0\n', mtime=0), "gzip"),
        ("a.csv", gzip.compress(b'text,label\n"good, really",1\nbad,0\n', mtime=0), "gzip"),
        (
            "A.JSONL.GZ",
            gzip.compress(b'{"text": "good, really", "label": 1}\n{"text": "bad", "label": 0}', mtime=0),
            "gzip",
        ),
        ("a.json", COLUMNS, "a column an entry"),
        ("a.json", json.dumps(json.loads(COLUMNS), indent=1), "a column an entry"),
        ("a.jsonl", COLUMNS, "a column an entry"),
        ("a.json", '{"text": {"0": "good, really", "1": "bad"}, "label": {"0": 1, "1": 0}}', "a column an entry"),
        ("a.json", '{"0": {"text": "good, really", "label": 1}, "1": {"text": "bad", "label": 0}}', "by number"),
        (
            "a.json",
            '{"columns": ["text", "label"], "index": [0, 1], "data": [["good, really", 1], ["bad", 0]]}',
            "rows",
        ),
        ("a.json", f'{{"version": "1", "data": {ARRAY}}}', "'version'"),
        ("a.json", json.dumps({"data": json.loads(ARRAY)}, indent=1), "'data'"),
        ("a.jsonl", json.dumps(json.loads(ARRAY), indent=1), "an array"),
        ("a", '{"text": "good, really", "label": 1}\n{"text": "bad", "label": 0}\n', "JSON lines"),
        ("a", 'text,label\n"good, really",1\nbad,0\n', "csv, comma"),
        ("a", gzip.compress(b"text\tlabel\ngood, really\t1\nbad\t0\n", mtime=0), "tsv, tab, gzip"),
        ("a.csv", 'positive,"good, really"\nnegative,bad\n', "no header"),
        ("a.tsv", "good, really\t1\nbad\t0\n", "no header"),
    ],
)
def test_each_shape_gives_the_same_rows_and_is_named(
    tmp_path: Path, name: str, content: str | bytes, words: str
) -> None:
    corpus = read_corpus(write(tmp_path, name, content), labels=MOOD)
    assert told(corpus) == GOOD_BAD
    assert words in " | ".join((corpus.format, *corpus.notes))


def test_plain_text_is_one_text_a_line(tmp_path: Path) -> None:
    corpus = read_corpus(write(tmp_path, "a.txt", "good, really\r\n\r\n  \nbad\u2028still bad"), labels=MOOD)
    assert told(corpus) == [("good, really", None), ("bad\u2028still bad", None)]
    assert corpus.format == "text, one a line"
    assert "no text" in refused(write(tmp_path, "b.txt", "\n \n"))


# Which columns


def test_labels_of_a_column_with_another_name_are_read_where_they_are_the_models_own(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id,review,sentiment\n1,good,positive\n2,bad,Negative\n")
    corpus = read_corpus(path, labels=MOOD)
    assert told(corpus) == [("good", 1), ("bad", 0)]
    assert corpus.label_names == MOOD
    assert corpus.columns == {"text": "review", "label": "sentiment"}
    assert corpus.unused == ("id",)
    assert any("'sentiment'" in note and "names of the model's labels" in note for note in corpus.notes)
    assert any("not read: 'id'" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("header", "values", "why"),
    [
        ("text,sentiment", "0 1", "2 different values"),  # numbers say nothing of the model's labels
        ("text,topic", "0 1", "2 different values"),
        ("text,prediction", "negative positive", "names of the model's labels"),  # may be another model's answers
        ("text,is_duplicate", "no yes", "2 different values"),
        ("text,rating", "1 5", "2 different values"),
    ],
)
def test_a_column_that_looks_like_labels_is_never_left_out_without_a_word(
    tmp_path: Path, header: str, values: str, why: str
) -> None:
    one, other = values.split()
    lines = [f"text {i},{(one, other)[i % 2]}" for i in range(6)]
    path = write(tmp_path, "a.csv", "\n".join([header, *lines]))
    corpus = read_corpus(path, labels=MOOD)
    assert corpus.label_names is None
    column = header.partition(",")[2]
    assert any(repr(column) in note and why in note and "--label-column" in note for note in corpus.notes)
    assert corpus.unused == (column,)
    quiet = read_corpus(path, labels=MOOD, label_column="")
    assert not any("--label-column" in note for note in quiet.notes), "the user has said that there are no labels"


def test_two_columns_of_the_models_labels_are_no_certain_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,sentiment,gold\na,positive,negative\nb,negative,negative\n")
    corpus = read_corpus(path, labels=MOOD)
    assert corpus.label_names is None
    assert all(any(repr(c) in note for note in corpus.notes) for c in ("sentiment", "gold"))


def test_a_column_labelled_in_part_is_not_taken_for_gold(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,sentiment\na,positive\nb,\nc,negative\nd,positive\n")
    corpus = read_corpus(path, labels=MOOD)
    assert corpus.label_names is None
    assert any("'sentiment' holds names" in note for note in corpus.notes)


def test_ids_and_texts_do_not_look_like_labels(tmp_path: Path) -> None:
    lines = "\n".join(f"{i},text {i},title {i}" for i in range(60))
    corpus = read_corpus(write(tmp_path, "a.csv", f"id,text,title\n{lines}\n"), labels=MOOD)
    assert not any("--label-column" in note for note in corpus.notes)
    assert corpus.unused == ("id", "title")


@pytest.mark.parametrize(
    ("header", "pair"),
    [("text,text_pair,label", "text_pair"), ("text_a,text_b,label", "text_b"), ("Text1,Text2,label", "Text2")],
)
def test_usual_pairs(tmp_path: Path, header: str, pair: str) -> None:
    corpus = read_corpus(write(tmp_path, "a.csv", f"{header}\na,b,1\n"), labels=MOOD)
    assert corpus.rows == (Row(0, "a", "b", 1),)
    assert corpus.columns["pair"] == pair


def test_keys_of_json_are_those_of_all_records(tmp_path: Path) -> None:
    lines = [{"text": "none"}, *({"text": f"t{i}", "label": i % 2} for i in range(871))]
    path = write(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines)))
    assert "line 1: no label, while other rows have one (1 of 872 lack it)" in refused(path)
    late = write(tmp_path, "b.json", '[{"id": 7}, {"id": 8, "text": "good", "label": 1}, {"text": "bad", "label": 0}]')
    corpus = read_corpus(late, labels=MOOD)
    assert told(corpus) == [("good", 1), ("bad", 0)]
    assert (corpus.records, corpus.skipped, corpus.unused) == (3, 1, ("id",))
    pair = write(tmp_path, "c.jsonl", '{"text": "a"}\n{"text": "b", "text_pair": "c", "x": 1}\n')
    assert read_corpus(pair, labels=MOOD).rows == (Row(1, "b", "c"),)


# Quotes


def test_a_quote_that_swallows_lines_of_a_tsv_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'text\tlabel\n"one\t1\ntwo\t0\nthree"\t1\nfour\t0\n')
    assert "row from line 2: a double quote that begins a field closes on a later line" in refused(path)
    first = write(tmp_path, "b.tsv", 'label\ttext\n1\t"one\n0\ttwo\n1\tthree"\n0\tfour\n')
    assert "row from line 2" in refused(first)
    tabbed = write(tmp_path, "c.csv", 'text\tlabel\n"one\t1\ntwo\t0\nthree"\t1\nfour\t0\n')
    assert "row from line 2" in refused(tabbed)


def test_quotes_of_a_tsv_that_quote_nothing_are_characters(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'sentence\tlabel\n"Fine" he said\t1\n" never closed\t0\nplain "so" end"\t1\n')
    corpus = read_corpus(path, labels=MOOD)
    assert told(corpus) == [('"Fine" he said', 1), ('" never closed', 0), ('plain "so" end"', 1)]
    assert any("read as characters" in note for note in corpus.notes)


def test_quotes_of_a_tsv_that_quote_are_taken_off_and_said(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", 'text\tlabel\n"said ""no"", twice"\t1\nplain\t0\n')
    corpus = read_corpus(path, labels=MOOD)
    assert told(corpus) == [('said "no", twice', 1), ("plain", 0)]
    assert any("double quotes around a field" in note for note in corpus.notes)


def test_a_text_of_a_csv_that_holds_what_could_be_rows_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"one,1\ntwo,0\nthree",1\nfour,0\n')
    assert any("from line 2" in note and "double quote" in note for note in read_corpus(path, labels=MOOD).notes)
    sound = write(tmp_path, "b.csv", 'text,label\n"a list:\none, 1\ntwo, 0",1\n"Note: 2,0\nfine",0\n')
    assert not any("double quote" in note for note in read_corpus(sound, labels=MOOD).notes)


# Labels


def rated(folder: Path, values: str) -> Path:
    return write(folder, "a.csv", "text,label\n" + "".join(f"t{i},{v}\n" for i, v in enumerate(values.split())))


def test_labels_that_count_from_one(tmp_path: Path) -> None:
    corpus = read_corpus(rated(tmp_path, "5 1 2 3 4 5 1 1 2 5"), labels=STARS)
    assert [row.label for row in corpus.rows] == [4, 0, 1, 2, 3, 4, 0, 0, 1, 4]
    assert any("counted from 1: 1 is 1 star, 2 is 2 stars" in note for note in corpus.notes)
    assert "'5' (line 2)" in refused(rated(tmp_path, "5 0 2 3 4 5 1 1 2 5"), STARS), "0 and 5 fit no counting"
    assert "'6'" in refused(rated(tmp_path, "5 1 2 3 4 5 1 1 2 6"), STARS)
    assert "count from 0" in refused(rated(tmp_path, "2 1"), MOOD), "two rows say too little"
    assert "'2'" in refused(rated(tmp_path, "2 1 2 1 2 1"), ("0", "1")), "labels that are numbers are no names to count"


def test_indices_without_a_zero_are_said(tmp_path: Path) -> None:
    corpus = read_corpus(rated(tmp_path, "1 2 3 4 1 2 3 4 1 2"), labels=STARS)
    assert [row.label for row in corpus.rows][:4] == [1, 2, 3, 4]
    assert any("no row has the label 0 (1 star)" in note for note in corpus.notes)


def test_truth_values_are_labels_where_the_labels_say_which_is_true(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "a", "label": true}\n{"text": "b", "label": false}\n')
    assert [row.label for row in read_corpus(path, labels=MOOD).rows] == [1, 0]
    assert [row.label for row in read_corpus(path, labels=("Yes", "No")).rows] == [0, 1]
    assert [row.label for row in read_corpus(path, labels=UNNAMED).rows] == [1, 0]
    assert [row.label for row in read_corpus(path, labels=("true", "false")).rows] == [0, 1]
    words = refused(path, ("ham", "spam"))
    assert "line 1" in words
    assert "instead of a truth value" in words


def test_hidden_labels_among_others(tmp_path: Path) -> None:
    words = refused(rated(tmp_path, "1 0 -1 1"))
    assert "'-1' (line 4)" in words
    assert "marks a hidden label" in words


def test_lists_of_texts_are_refused_with_their_row(tmp_path: Path) -> None:
    words = refused(write(tmp_path, "a.jsonl", '{"text": "a"}\n{"text": ["b", "c"]}\n'))
    assert "line 2: column 'text' holds an array" in words
    assert "Join the parts" in words


@pytest.mark.parametrize(
    ("content", "texts", "labels"),
    [
        ('text,label\nnull,1.0\nNaN,0.0\n"two\r\nlines",LABEL_1\n', ["null", "NaN", "two\r\nlines"], [1, 0, 1]),
        ("\ufefftext,label\nbom,LABEL_1\nu\u2028v,LABEL_0\n", ["bom", "u\u2028v"], [1, 0]),
        ("text,label\nnul\0here,1\nNone,0\n", ["nul\ufffdhere", "None"], [1, 0]),
    ],
)
def test_what_was_read_well_stays_so(tmp_path: Path, content: str, texts: list[str], labels: list[int]) -> None:
    corpus = read_corpus(write(tmp_path, "a.csv", content), labels=MOOD)
    assert ([row.text for row in corpus.rows], [row.label for row in corpus.rows]) == (texts, labels)


# Parts


def test_parts_by_their_usual_names_are_one_file(tmp_path: Path) -> None:
    for number, text in enumerate("ab"):
        write(tmp_path, f"d/train-0000{number}-of-00002.csv", f"text,label\n{text},1\n")
    corpus = read_corpus(tmp_path / "d", labels=MOOD)
    assert told(corpus) == [("a", 1), ("b", 1)]
    assert "2 parts" in corpus.format
    alone = read_corpus(tmp_path / "d" / "train-00001-of-00002.csv", labels=MOOD)
    assert any("one of the 2 parts of 'train'" in note for note in alone.notes)
    write(tmp_path, "d/test-00000-of-00001.csv", "text,label\nc,0\n")
    words = refused(tmp_path / "d")
    assert "several data files" in words
    assert str(tmp_path / "d" / "train") in words
    assert told(read_corpus(tmp_path / "d" / "train", labels=MOOD)) == [("a", 1), ("b", 1)]
    assert told(read_corpus(tmp_path / "d" / "test", labels=MOOD)) == [("c", 0)]
    (tmp_path / "d" / "train-00000-of-00002.csv").unlink()
    assert "not all there" in refused(tmp_path / "d" / "train")


def test_parts_that_lack_one_in_between_are_refused(tmp_path: Path) -> None:
    for number in (0, 2):
        write(tmp_path, f"000{number}.csv", "text\na\n")
    assert "0002.csv does not follow" in refused(tmp_path)


def test_later_parts_of_json_may_have_more_keys(tmp_path: Path) -> None:
    write(tmp_path, "0.jsonl", '{"text": "a"}\n')
    write(tmp_path, "1.jsonl", '{"text": "b", "label": 1}\n')
    assert "0.jsonl, line 1: no label" in refused(tmp_path)


# What cannot be read says what it is


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"PK\x03\x04\x14\0\x06\0rest", "spreadsheet"),
        ("a.xlsx", b"PK\x03\x04\x14\0\x06\0rest", "Save the sheet as CSV"),
        ("a.parquet", b"PK\x03\x04\x14\0\x06\0rest", "parquet"),
        ("a.csv", b"PAR1\x15\x04", "a parquet file, whatever its name"),
        ("a.csv", b"\x28\xb5\x2f\xfdrest", "zstandard"),
        ("a.jsonl", b"BZh91AY", "bzip2"),
        ("a.csv", b"\x80\x04\x95rest", "never loaded"),
        ("a.csv.gz", TRUNCATED, "damaged"),
        ("a.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\xffrest", "damaged"),
        ("a.csv", "text,label\n今天天气很好啊,1\n我不喜欢这部电影,0\n".encode("gb18030"), "line 2: byte 0xbd"),
        ("a.csv", "text\nпривет\n".encode("cp1251"), "encoding it was saved in"),
        ("a.csv", "text\nfine\ncafé tonight\n".encode("latin-1"), "WINDOWS-1252"),
        ("a.csv", "text\nfine\n".encode("utf-16")[:-1], "not UTF-16"),
        ("a.csv", "text,label\na,1\rb,0\nc,1\n", "carriage return inside an unquoted field"),
        ("a.csv", "text;label\tkind\na;1\tb\n", "semicolon or a tab"),
        ("a.csv", "text;label\ngood; really;1\n", "line 2: 3 fields where the header has 2"),
        ("a.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}', "several arrays of objects: 'train', 'test'"),
        ("a.json", '{"text": ["a", "b"], "label": [1]}', "'text' 2, 'label' 1"),
        ("a.json", '{"columns": ["text"], "data": [["a"], ["b", 1]]}', "item 2: 2 values for 1 columns"),
        ("a.json", '{"a": {"b": "c"}}', "no records are known: 'a'"),
        ("a.json", '["a", "b"]', "item 1: a string"),
        ("a.csv", "good, really;1\nbad;0\n", "the first line of a csv or tsv file names the columns"),
        ("a.csv", "2,Wall St. falls,Stocks fell.\n1,World,News.\n", "a.csv has no header"),
        ("a.csv", "a film, that I liked\nanother, of them\n", "--text-column"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_what_cannot_be_read_says_what_it_is(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    said = refused(write(tmp_path, name, content))
    assert words in said
    assert "permissions" not in said
    assert ("WINDOWS-1252" in said) is (words == "WINDOWS-1252")


def test_a_damaged_page_of_a_parquet_file_is_damage(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": [f"row {i} {i * i}" for i in range(5000)]}), path)
    held = bytearray(path.read_bytes())
    held[200:2000] = b"\xff" * 1800
    path.write_bytes(held)
    said = refused(path)
    assert "damaged after row" in said
    assert "permissions" not in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permissions_are_blamed_where_they_are_to_blame(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text\na\n")
    path.chmod(0)
    assert "permissions" in refused(path)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path / ("x" * 300 + ".csv"))
    assert "no such file" in refused(write(tmp_path, "a.csv", "text\n") / "b.csv")


# Bounds


def test_a_line_without_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "LINE_LIMIT", 1000)
    for name, content in (
        ("a.csv", b"text\n" + b"x" * 5000),
        ("a.jsonl", b'{"text": "' + b"x" * 5000),
        ("a.csv", ("text\n" + "x" * 5000).encode("utf-16")),
        ("a.csv.gz", gzip.compress(b"text\n" + b"x" * 5000, mtime=0)),
    ):
        table = source.examine(write(tmp_path, name, content))
        with pytest.raises(CorpusError, match="longer than"):
            list(table.lines(1000))


def test_a_quote_without_end_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b'text\n"')
        for _ in range(20):
            file.write(b"x" * 999_999 + b"\n")
    code = (
        "import resource, sys; from pathlib import Path; from probes.corpus import read_corpus, CorpusError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20,) * 2)\n"
        "try: read_corpus(Path(sys.argv[1]), labels=('a', 'b'))\n"
        "except CorpusError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "field larger than field limit" in done.stdout


def test_a_text_that_no_model_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.corpus.corpus.TEXT_LIMIT", 20)
    assert "item 2: a text of 21 characters" in refused(
        write(tmp_path, "a.json", json.dumps([{"text": "a"}, {"text": "b" * 21}]))
    )


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    os.mkfifo(path)
    with pytest.raises(CorpusError, match="a pipe or a device") as caught:
        open_table(path)
    assert "--data -" in caught.value.hint
