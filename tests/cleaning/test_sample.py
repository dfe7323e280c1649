"""The sample that ships: made again from its seed, true to what its truth says, with nothing alike by accident."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter, defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

import ftfy
import pyarrow.parquet as pq
import pytest

from cleaning.sample_maker import numbers
from cleaning.sample_maker.make import DOCUMENTS, INSTRUCTIONS, documents, instructions, make
from cleaning.sample_maker.pieces import Draft
from cleaning.sample_maker.resemblance import grams, jaccard, measures, normalised, word_grams
from cleaning.truth import KINDS, load_truth, truth_of
from utils.data.inputs import find_files
from utils.data.partitions import plan_partitions
from utils.data.reading import read_partition

FOLDERS = ("sample", "sample_documents", "sample_truth")
SAMPLES = ("sample", "sample_documents")


@cache
def drafts(sample: str) -> list[Draft]:
    return [draft for _, rows in (instructions() if sample == "sample" else documents()) for draft in rows]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make(folder)
    return folder


def content(path: Path) -> object:
    """Return what a file says: bytes, but for packed ones, whose bytes depend on the library that packed them."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_the_maker_makes_what_ships(made: Path, root: Path) -> None:
    for folder in FOLDERS:
        shipped = {path.name: path for path in (root / "cleaning" / folder).iterdir()}
        assert shipped.keys() == {path.name for path in (made / folder).iterdir()}
        for name, path in shipped.items():
            assert content(path) == content(made / folder / name), f"{folder}/{name}: run the maker again"


@pytest.mark.parametrize(("sample", "files"), [("sample", INSTRUCTIONS), ("sample_documents", DOCUMENTS)])
def test_truth_has_a_line_per_row_that_is_read(sample: str, files: dict[str, object], root: Path) -> None:
    source = root / "cleaning" / sample
    rows = {
        (file.relative, raw.source_row)
        for file in find_files(source)
        for partition in plan_partitions(file, 1 << 16)
        for raw in read_partition(partition, max_row_bytes=1 << 20, invalid_utf8="quarantine")
    }
    path = truth_of(source)
    assert path is not None
    truth = load_truth(path)
    assert truth.keys() == rows
    assert {name for name, _ in rows} == files.keys()
    assert sum(row["status"] == "quarantined" for row in truth.values()) <= 0.01 * len(truth)


def test_no_truth_about_other_inputs(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    assert truth_of(tmp_path / "sample") is None


def test_every_kind_of_dirt_is_there_often_enough_for_a_share() -> None:
    rows = {sample: Counter(kind for draft in drafts(sample) for kind in draft.dirt) for sample in SAMPLES}
    for kind in ("markup", "invisible", "mojibake", "punctuation", "blanks"):
        assert min(rows["sample"][kind], rows["sample_documents"][kind]) >= 10, kind
    assert all(rows["sample_documents"][kind] >= 10 for kind in ("ads", "url", "repetition", "comment"))
    planted = Counter(one["kind"] for draft in drafts("sample") for one in draft.pii)
    assert planted.keys() == {*KINDS} and min(planted.values()) >= 25
    relations = Counter(draft.relation for draft in drafts("sample"))
    assert all(relations[relation] >= 40 for relation in ("exact", "near", "cleaned"))


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_must_vanish_is_there_and_what_must_survive_was_there_before_the_dirt(sample: str) -> None:
    for draft in drafts(sample):
        dirty, clean = "\n".join(draft.turns), "\n".join(draft.plain)
        lines = dirty.replace("\r\n", "\n")
        for kind, text in draft.vanish:
            assert text in dirty or text in lines, (kind, draft)
            assert kind == "blanks" or draft.raw is not None or text not in clean, (kind, draft)
        for kind, text in draft.survive:
            assert text in clean, (kind, draft)
        assert all(one["value"] in dirty for one in draft.pii)
        assert not any(f"<{kind}>" in dirty for kind in KINDS)


def test_mojibake_is_whole() -> None:
    """The damage loses nothing: the options that cleaning uses bring the text back."""
    options = ftfy.TextFixerConfig(fix_character_width=False, uncurl_quotes=False)
    damaged = [draft for sample in SAMPLES for draft in drafts(sample) if "mojibake" in draft.dirt]
    assert {draft.lang for draft in damaged} == {"zh", "en"}
    assert all(ftfy.fix_text(draft.turns[-1], options) == draft.plain[-1] for draft in damaged)


@pytest.mark.parametrize("sample", SAMPLES)
def test_rows_that_have_nothing_to_do_with_each_other_are_not_alike(sample: str) -> None:
    rows = [draft for draft in drafts(sample) if draft.status != "quarantined"]
    for shingles in (grams, lambda text: word_grams(text, 3)):
        sets = [shingles(normalised(draft.plain)) for draft in rows]
        keys = [draft.group or draft.family or number for number, draft in enumerate(rows)]
        places: dict[str, list[int]] = defaultdict(list)
        worst: tuple[float, int, int] = (0.0, 0, 0)
        for number, own in enumerate(sets):
            shared = Counter(other for gram in own for other in places[gram])
            alike = {n: count / (len(own) + len(sets[n]) - count) for n, count in shared.items()}
            worst = max([worst, *((alike[n], n, number) for n in alike if keys[n] != keys[number])])
            for gram in own:
                places[gram].append(number)
        assert worst[0] < 0.5, [rows[number].plain for number in worst[1:]]


@pytest.mark.parametrize("sample", SAMPLES)
def test_near_duplicates_are_near_and_the_others_are_not(sample: str, root: Path) -> None:
    path = root / "cleaning" / "sample_truth" / f"{sample}_pairs.jsonl"
    pairs = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sum(pair["duplicate"] for pair in pairs) >= 50 and sum(not pair["duplicate"] for pair in pairs) >= 16
    by_name: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts(sample):
        by_name[draft.group or draft.family or ""].append(draft)
    for pair in pairs:
        assert pair["jaccard"] <= 0.6 or pair["duplicate"] or pair["name"].startswith("answers-"), pair
    for name, (first, *others) in by_name.items():
        if name.startswith("near-"):  # each is near one that was made before it, so the group hangs together
            ordered = [first, *others]
            best = [max(min(measures(first.lang, a.plain, b.plain)) for a in ordered if a is not b) for b in ordered]
            assert min(best) >= 0.75, name
        if name.startswith(("half-", "answers-")):
            measured = [measures(first.lang, a.plain, b.plain) for a, b in combinations([first, *others], 2)]
            answers = [max(found[len(found) // 2 :]) for found in measured]
            assert max(answers) <= 0.6, name


def test_stored_similarity_is_the_exact_jaccard_of_the_shipped_rows(root: Path) -> None:
    rows = json.loads((root / "cleaning" / "sample" / "alpaca_zh.json").read_bytes())
    texts = [normalised([row["instruction"], row["input"], row["output"]]) for row in rows]
    truths = root / "cleaning" / "sample_truth"
    dirty = {place for place, row in load_truth(truths / "sample.jsonl").items() if "dirt" in row}
    pairs = [json.loads(line) for line in (truths / "sample_pairs.jsonl").read_bytes().splitlines()]
    places = [(tuple(pair["one"]), tuple(pair["other"]), pair["jaccard"]) for pair in pairs]
    own = [(one, other, similarity) for one, other, similarity in places if one[0] == other[0] == "alpaca_zh.json"]
    found = [(one[1], other[1], similarity) for one, other, similarity in own if not {one, other} & dirty]
    assert len({similarity for *_, similarity in found}) >= 5
    for one, other, similarity in found:
        first, second = (set(zip(*(texts[row][at:] for at in range(5)), strict=False)) for row in (one, other))
        assert similarity == pytest.approx(len(first & second) / len(first | second), abs=1e-6)


def test_one_prompt_with_two_answers_stays_twice() -> None:
    for family in ("prompt-", "answers-", "half-"):
        rows = [draft for draft in drafts("sample") if (draft.family or "").startswith(family) and not draft.group]
        assert len(rows) >= 16 and {draft.status for draft in rows} == {"kept"}


def test_check_digits_of_known_numbers() -> None:
    """GB 11643's and GB 32100's own examples, and the usual one for Luhn."""
    assert numbers.cn_id_digit("11010519491231002") == "X"
    assert numbers.cn_id_digit("44052418800101001") == "4"
    assert numbers.credit_digit("91350100M000100Y4") == "3"
    assert numbers.organisation_digit("D2143569") == "X"
    assert numbers.is_luhn("79927398713") and not numbers.is_luhn("79927398710")


def test_look_alikes_pass_no_check() -> None:
    dice = random.Random(1)
    for _ in range(300):
        number, card, code = numbers.wrong_id(dice), numbers.wrong_card(dice), numbers.wrong_code(dice)
        assert numbers.cn_id_digit(number[:17]) != number[17] and not numbers.is_luhn(number)
        assert len(card) == 16 and not numbers.is_luhn(card)
        assert numbers.credit_digit(code[:17]) != code[17]
        card = numbers.bank_card(dice).replace(" ", "")
        assert numbers.is_luhn(card) and len(card) in (16, 19)
        number = numbers.cn_id(dice)
        assert numbers.cn_id_digit(number[:17]) == number[17]
        code = numbers.credit_code(dice)
        assert numbers.credit_digit(code[:17]) == code[17] and not code.isdigit()


def test_jaccard_by_hand() -> None:
    one, other = grams("abcdefg"), grams("abcdefx")  # abcde bcdef cdefg; abcde bcdef cdefx
    assert jaccard(one, other) == 2 / 4
    assert word_grams("One two, three four", 3) == {"one two three", "two three four"}
    assert grams("abcd") == frozenset()
