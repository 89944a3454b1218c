"""Reading the user's data: every wrong file gets a sentence, no right one is misread."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from probes.cases import Row
from probes.corpus import BUILTIN, Corpus, CorpusError, builtin, builtin_for, digest, read_corpus, sample

MOOD = ("negative", "positive")
UNNAMED = ("LABEL_0", "LABEL_1")


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def refused(path: Path, labels: tuple[str, ...] = MOOD, **columns: str) -> CorpusError:
    with pytest.raises(CorpusError) as caught:
        read_corpus(path, labels=labels, **columns)
    assert str(caught.value) == caught.value.message
    return caught.value


def gold(corpus: Corpus) -> list[int | None]:
    return [row.label for row in corpus.rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text,label\r\n"one, ""two""\nthree",positive\r\nfour,negative\r\n'),
        ("a.tsv", 'text\tlabel\n"one, ""two""\nthree"\tpositive\nfour\tnegative\n'),
        ("a.csv", '\ufefftext,label\n"one, ""two""\nthree",1\nfour,0'),
        (
            "a.jsonl",
            '{"text": "one, \\"two\\"\\nthree", "label": "POSITIVE"}\n\n{"text": "four", "label": "Negative"}\n',
        ),
        ("A.NDJSON", '{"text": "one, \\"two\\"\\nthree", "label": "LABEL_1"}\n{"text": "four", "label": "LABEL_0"}'),
        ("a.json", '[{"text": "one, \\"two\\"\\nthree", "label": 1.0}, {"text": "four", "label": 0.0}]'),
        ("a.json", '{"text": "one, \\"two\\"\\nthree", "label": 1}\n{"text": "four", "label": 0}\n'),
    ],
)
def test_each_format_gives_the_same_rows(tmp_path: Path, name: str, content: str) -> None:
    corpus = read_corpus(write(tmp_path, name, content), labels=MOOD)
    assert corpus.rows == (Row(0, 'one, "two"\nthree', None, 1), Row(1, "four", None, 0))
    assert corpus.label_names == MOOD
    assert corpus.skipped == 0


def test_parquet_needs_pyarrow_and_reads_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        path.write_bytes(b"PAR1")
        assert refused(path).hint == "Install it with: pip install 'auditor[parquet]'"
        return
    features = {"info": {"features": {"label": {"names": ["positive", "negative"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"text": ["good", "bad", None], "label": [0, 1, 1]})
    pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    corpus = read_corpus(path, labels=MOOD)
    assert gold(corpus) == [1, 0], "the file's class names decide, not its integers"
    assert corpus.skipped == 1
    assert "read as indices" in "".join(read_corpus(path, labels=UNNAMED).notes)
    path.write_bytes(path.read_bytes()[:60])
    assert "not a readable parquet file" in refused(path).message


def test_json_lines_are_split_at_newlines_alone(tmp_path: Path) -> None:
    text = "a\u2028b\u0085c\x0cd"
    path = write(tmp_path, "a.jsonl", json.dumps({"text": text}, ensure_ascii=False) + "\n")
    assert [row.text for row in read_corpus(path, labels=MOOD).rows] == [text]


def test_a_field_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    path = write(tmp_path, "a.csv", "text\n" + "long " * 60_000 + "\n")
    assert len(read_corpus(path, labels=MOOD).rows[0].text) == 300_000
    assert csv.field_size_limit() == limit


def test_empty_texts_are_counted_and_indices_stay(tmp_path: Path) -> None:
    corpus = read_corpus(write(tmp_path, "a.csv", 'text,label\n" ",1\ngood,1\n,0\nbad,0\n'), labels=MOOD)
    assert [(row.index, row.text) for row in corpus.rows] == [(1, "good"), (3, "bad")]
    assert corpus.skipped == 2


def test_nul_and_lone_surrogates_become_encodable(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.jsonl",
        '{"text": "a\\ud800b"}\n{"text": "c\\u0000d"}\n{"text": "\\u0000"}\n{"text": "\\ud83d\\ude00"}',
    )
    corpus = read_corpus(path, labels=MOOD)
    assert [row.text for row in corpus.rows] == ["a\ufffdb", "c\ufffdd", "😀"]
    assert corpus.skipped == 1
    assert any("U+FFFD" in note for note in corpus.notes)
    assert digest(corpus.rows)
    assert read_corpus(write(tmp_path, "b.csv", b"text\nc\0d\n"), labels=MOOD).rows[0].text == "c\ufffdd"


@pytest.mark.parametrize(
    ("header", "text", "pair"),
    [
        ("question,sentence,label", "question", "sentence"),
        ("idx,premise,hypothesis,label", "premise", "hypothesis"),
        ("sentence1,sentence2,label", "sentence1", "sentence2"),
        ("title,text,label", "text", None),
        ("Tweet,Label", "Tweet", None),
        ("text,question,sentence", "text", None),
        ("premise,hypothesis,sentence1,sentence2", "sentence1", None),
    ],
)
def test_usual_columns(tmp_path: Path, header: str, text: str, pair: str | None) -> None:
    names = header.split(",")
    values = ["1" if n.lower() == "label" else f"<{n}>" for n in names]
    (row,) = read_corpus(write(tmp_path, "a.csv", f"{header}\n{','.join(values)}\n"), labels=MOOD).rows
    assert row.text == f"<{text}>"
    assert row.pair == (f"<{pair}>" if pair else None)
    assert row.label == (1 if "label" in header.lower() else None)


def test_named_columns_win(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "question,sentence,label,mood\nq,s,9,positive\n")
    row = read_corpus(path, labels=MOOD, text_column="sentence", label_column="MOOD").rows[0]
    assert (row.text, row.pair, row.label) == ("s", None, 1)
    row = read_corpus(path, labels=MOOD, text_column="sentence", pair_column="question", label_column="").rows[0]
    assert (row.text, row.pair, row.label) == ("s", "q", None)
    assert "cannot serve twice" in refused(path, text_column="label").message


def test_a_missing_column_names_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "words,mood\ngood,1\n")
    for columns in ({}, {"text_column": "text"}, {"text_column": "words", "label_column": "label"}):
        assert "'words', 'mood'" in refused(path, **columns).message
    headerless = write(tmp_path, "b.csv", "a film that I liked,really\na film that I did not like,sadly\n")
    assert "the first line" in refused(headerless).hint


def test_labels_by_name_win_over_indices(tmp_path: Path) -> None:
    stars = ("1", "2", "3", "4", "5")
    corpus = read_corpus(write(tmp_path, "a.csv", "text,label\na,1\nb,4\n"), labels=stars)
    assert gold(corpus) == [0, 3]
    assert any("label names" in note for note in corpus.notes)
    assert gold(read_corpus(write(tmp_path, "b.csv", "text,label\na,0\nb,4\n"), labels=stars)) == [0, 4]


def test_labels_that_differ_by_case_alone(tmp_path: Path) -> None:
    assert gold(read_corpus(write(tmp_path, "a.csv", "text,label\nx,a\ny,A\n"), labels=("A", "a"))) == [1, 0]


def test_a_name_that_several_labels_have_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\na,x\nb,y\n")
    assert "'x' (line 2)" in refused(path, ("x", "x", "y")).message
    error = refused(path, ("x (0)", "x (1)", "y"))
    assert "'x' (line 2)" in error.message
    assert "Several labels are called 'x'" in error.hint
    assert "'X' (line 2)" in refused(write(tmp_path, "c.csv", "text,label\na,X\n"), ("x", "x ", "y")).message
    numbered = write(tmp_path, "b.csv", "text,label\na,x (1)\nb,y\n")
    assert gold(read_corpus(numbered, labels=("x (0)", "x (1)", "y"))) == [1, 2]


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    error = refused(write(tmp_path, "a.csv", "text,label\na,positive\nb,mixed\nc,mixed\nd,unsure\n"))
    assert "'mixed' (line 3), 'unsure' (line 5)" in error.message
    assert "negative, positive" in error.message
    assert "'2' (line 2)" in refused(write(tmp_path, "b.csv", "text,label\na,2\nb,1\n")).message
    assert "0 to 1" in refused(write(tmp_path, "c.csv", "text,label\na,good\n"), UNNAMED).hint
    assert "no names" in refused(write(tmp_path, "c.csv", "text,label\na,good\n"), UNNAMED).hint


def test_rows_without_label_among_labelled_ones(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'text,label\n"a\nb",1\nc,\n')
    assert "line 4" in refused(path).message
    assert gold(read_corpus(path, labels=MOOD, label_column="")) == [None, None]


@pytest.mark.parametrize("value", ["-1", ""])
def test_hidden_or_empty_labels_read_as_unlabelled(tmp_path: Path, value: str) -> None:
    corpus = read_corpus(write(tmp_path, "a.csv", f"text,label\na,{value}\nb,{value}\n"), labels=MOOD)
    assert corpus.label_names is None
    assert gold(corpus) == [None, None]
    assert any("unlabelled" in note for note in corpus.notes)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "text,label\n", "no rows"),
        ("a.csv", "text,label\n ,1\n", "none with a text"),
        ("a.csv", "text,label\ngood, but long,1\n", "line 2: 3 fields where the header has 2"),
        ("a.csv", 'text,label\nok,1\n"never closed,1\n', "row from line 3"),
        ("a.csv", "text,text\na,b\n", "2 columns named 'text'"),
        ("a.csv", "text\nfine\ncaf\u00e9\n".encode("latin-1"), "line 3: byte 0xe9 at offset 13"),
        ("a.jsonl", "", "is empty"),
        ("a.jsonl", '{"text": "a"}\n\n{"text": "b"\n', "line 3, column"),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', "line 2: an array"),
        ("a.jsonl", '{"text": "a"}\n{"text": 5}\n', "line 2: column 'text' holds a number"),
        ("a.jsonl", "[" * 100_000, "nested too deeply"),
        ("a.json", "[]", "is empty"),
        ("a.json", '"a"', "not an array"),
        ("a.json", '[{"text": "a"}, 5]', "item 2: a number"),
        ("a.json", '[{"text": "a"},\n{]', "line 2, column 2"),
        ("a.xlsx", "text", "unknown kind of file"),
    ],
)
def test_malformed_files(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    assert words in refused(write(tmp_path, name, content)).message


def test_a_directory_of_numbered_parts_is_one_file(tmp_path: Path) -> None:
    for name, text in (("0000.csv", "a"), ("0001.csv", "b"), ("README.md", "c")):
        write(tmp_path, name, f"text,label\n{text},1\n")
    corpus = read_corpus(tmp_path, labels=MOOD)
    assert [(row.index, row.text) for row in corpus.rows] == [(0, "a"), (1, "b")]
    write(tmp_path, "0001.csv", "text,label\nb,9\n")
    assert "0001.csv, line 2" in refused(tmp_path).message
    write(tmp_path, "test.csv", "text\nx\n")
    assert "is a directory" in refused(tmp_path).message


def test_paths_that_are_no_file(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path).message
    assert "no such file" in refused(tmp_path / "none.csv").message


def test_built_in_corpora_are_whole() -> None:
    texts: Counter[str] = Counter()
    for name in BUILTIN:
        rows = builtin(name, labels=MOOD).rows
        assert len(rows) == 400
        texts.update(row.text.casefold() for row in rows)
    assert texts.most_common(1)[0][1] == 1, "no text stands twice"
    with pytest.raises(CorpusError) as caught:
        builtin("poems", labels=MOOD)
    assert all(name in caught.value.hint for name in BUILTIN)


def test_demo_sentences_are_balanced_and_never_probed() -> None:
    path = Path(__file__).parents[2] / "auditor" / "lab" / "data" / "demo.csv"
    corpus = read_corpus(path, labels=MOOD)
    labels = gold(corpus)
    assert [sum(label or 0 for label in labels[at : at + 400]) for at in range(0, 1600, 400)] == [200] * 4
    trained = [" ".join(row.text.casefold().split()) for row in corpus.rows]
    assert len(set(trained)) == 1600
    probed = {" ".join(row.text.casefold().split()) for row in builtin("sentiment", labels=MOOD).rows}
    assert not probed & set(trained)


@pytest.mark.parametrize(
    ("labels", "source", "labelled"),
    [
        (("NEGATIVE", "Positive"), "sentiment", True),
        (("pos", "neg"), "sentiment", True),
        (("negative", "neutral", "positive"), "sentiment", True),
        (UNNAMED, "sentiment", False),
        (("World", "Sports", "Business", "Sci/Tech"), "news", True),
        (("technology", "business", "SPORT", "world"), "news", True),
        (("World", "Sports", "Business", "Science", "Technology"), "general", False),
        (("spam", "ham"), "general", False),
        (("LABEL_0", "LABEL_1", "LABEL_2"), "general", False),
    ],
)
def test_the_corpus_follows_the_label_names(labels: tuple[str, ...], source: str, labelled: bool) -> None:
    corpus = builtin_for(labels)
    assert corpus.source == f"builtin:{source}"
    assert (corpus.label_names == labels) is labelled
    assert all((row.label is not None) is labelled for row in corpus.rows)


def test_built_in_gold_follows_the_models_order() -> None:
    forth, back = builtin_for(("negative", "positive")), builtin_for(("Positive", "Negative"))
    assert gold(forth) == [1 - (label or 0) for label in gold(back)]
    praise = next(row for row in forth.rows if row.text.startswith("Readers who enjoy puzzles will be thrilled"))
    assert praise.label == 1


def test_digest_tells_apart_what_could_be_confused() -> None:
    lists = [
        [Row(0, "ab")],
        [Row(0, "a"), Row(1, "b")],
        [Row(1, "b"), Row(0, "a")],
        [Row(0, "a", "b")],
        [Row(0, "ab", "")],
        [Row(0, "ab", None, 0)],
        [Row(0, "ab", "0")],
        [],
    ]
    assert len({digest(rows) for rows in lists}) == len(lists)
    assert digest([Row(0, "ab")]) == digest([Row(7, "ab")]), "a row's place in its file is no content"


def many(*counts: int) -> list[Row]:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return [Row(i, f"text {i}", None, label) for i, label in enumerate(labels)]


def test_a_sample_is_proportional_and_repeats() -> None:
    rows = many(700, 300)
    chosen = sample(rows, 333, seed=1)
    assert Counter(row.label for row in chosen) == {0: 233, 1: 100}
    assert list(chosen) == sorted(chosen, key=lambda row: row.index)
    assert chosen == sample(rows, 333, seed=1)
    assert chosen != sample(rows, 333, seed=2)
    assert {r.text for r in chosen} == {r.text for r in sample(rows[::-1], 333, seed=1)}
    assert [len(sample(rows, n, 0)) for n in (0, 1, 7, 999, 1000, 2000)] == [0, 1, 7, 999, 1000, 1000]


def test_rare_labels_are_kept_where_they_can_be() -> None:
    def share(size: int, *counts: int) -> list[int]:
        found = Counter(row.label for row in sample(many(*counts), size, 0))
        return [found[label] for label in range(len(counts))]

    assert share(400, 5000, 200) == [300, 100]
    assert share(400, 5000, 30) == [370, 30]
    assert share(90, 5000, 200, 200) == [30, 30, 30]
    assert share(2, 50, 50, 50) == [1, 1, 0]


def test_repeated_texts_are_sampled_once() -> None:
    rows = [Row(0, "a", None, 1), Row(1, "a", None, 0), Row(2, "a", "b", 0), Row(3, "c", None, 0)]
    assert [row.index for row in sample(rows, 10, 0)] == [0, 2, 3]
    assert len(sample([Row(i, f"{i % 5}") for i in range(50)], 4, 0)) == 4


def test_reading_loads_no_heavy_package() -> None:
    code = "import sys, probes.corpus; sys.exit(bool({'torch', 'pyarrow', 'pandas', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
