"""How well a finished cleaning run did on a sample whose truth is known: recall and precision, by kind.

The truth is JSON lines, one per row of the input, as `cleaning.sample_maker` writes them: what must become of the row,
of which rows only one may stay, the personal data in it, texts that must survive and texts that must vanish.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

import posttrain_root

TRUTHS = posttrain_root.ROOT / "cleaning" / "sample_truth"
DUPLICATE_REASONS = ("exact_duplicate", "near_duplicate", "reference_duplicate")

Place = tuple[str, int]
Truth = dict[str, Any]
Outcome = dict[str, Any]


def truth_of(source: Path) -> Path | None:
    """Return the file with the truth about a shipped sample; None for any other input."""
    path = TRUTHS / f"{source.name}.jsonl"
    return path if source.resolve().parent == TRUTHS.parent and path.is_file() else None


def load_truth(path: Path) -> dict[Place, Truth]:
    """Return the truth by (source_file, source_row)."""
    rows = (orjson.loads(line) for line in path.read_bytes().splitlines())
    return {(row["source_file"], row["source_row"]): row for row in rows}


def outcomes(run: Path) -> dict[Place, Outcome]:
    """Return what a finished run made of each row: its line in the ledger and, if it was kept, its `texts`."""
    import polars as pl

    ledger = pl.read_parquet(sorted((run / "ledger").glob("*.parquet")), glob=False).sort("source_file", "source_row")
    found = {(row["source_file"], row["source_row"]): row for row in ledger.iter_rows(named=True)}
    kept: dict[str, list[Place]] = defaultdict(list)
    for place, row in found.items():
        if row["status"] == "kept":
            kept[place[0]].append(place)
    for file, texts in _good_texts(run, ledger["source_file"].unique().to_list()):
        for place, own in zip(kept[file], texts, strict=True):
            found[place]["texts"] = own
    return found


def score(truth: Mapping[Place, Truth], found: Mapping[Place, Outcome]) -> dict[str, Any]:
    """Return shares of what is right; every share is `{hits, of, share}`, with share null when there is none.

    `status`: rows whose fate is known. `clean_kept`, `clean_unchanged`: rows without dirt that were kept, and of these
    the ones that no rule edited. `duplicates`: recall by the truth's relation, precision by the ledger's reason.
    `pii`: recall and precision by kind. `survive`, `vanish`: texts by kind, in rows that were kept.

    Raises:
        ValueError: the run was not over these rows.

    """
    if truth.keys() != found.keys():
        raise ValueError(f"{len(truth)} rows in the truth, {len(found)} in the run: not the same input")
    known = [place for place, row in truth.items() if row["status"] is not None]
    clean = [place for place in known if truth[place]["status"] == "kept" and "dirt" not in truth[place]]
    kept = [place for place in clean if found[place]["status"] == "kept"]
    pairs = [(truth[place], found[place]["texts"]) for place in found if found[place]["status"] == "kept"]
    return {
        "status": _share(_is_as_told(truth[place], found[place]) for place in known),
        "clean_kept": _share(found[place]["status"] == "kept" for place in clean),
        "clean_unchanged": _share(not found[place]["edits"] for place in kept),
        "duplicates": duplicates(truth, found),
        "pii": personal_data(pairs),
        "survive": _texts(pairs, "survive", present=True),
        "vanish": _texts(pairs, "vanish", present=False),
    }


def score_run(run: Path, truth: Path) -> dict[str, Any]:
    """Return the scores of a finished run."""
    return score(load_truth(truth), outcomes(run))


def duplicates(truth: Mapping[Place, Truth], found: Mapping[Place, Outcome]) -> dict[str, Any]:
    """Return `recall` by relation and `precision` by reason.

    A row dropped as a duplicate is right when its survivor is of its own group; of each group all rows but one are to
    be dropped, so a group of which nothing stays counts one of its rows as wrong.
    """
    groups_of_id: dict[str, set[str | None]] = defaultdict(set)
    sizes: Counter[str] = Counter()
    for place, row in truth.items():
        groups_of_id[found[place]["id"]].add(row.get("group"))
        sizes[row.get("group") or ""] += 1
    hits: Counter[str] = Counter()
    precision: dict[str, list[bool]] = {reason: [] for reason in DUPLICATE_REASONS}
    for place, row in found.items():
        for reason in (reason for reason in row["reasons"] if reason in precision):
            group = truth[place].get("group")
            right = group is not None and group in groups_of_id[row["cluster"]] and hits[group] + 1 < sizes[group]
            precision[reason].append(right)
            hits[group or ""] += right
    relations = {row["group"]: row["relation"] for row in truth.values() if "group" in row}
    recall: dict[str, list[bool]] = defaultdict(list)
    for group, relation in relations.items():
        recall[relation] += [number < hits[group] for number in range(sizes[group] - 1)]
    return {"recall": _shares(recall), "precision": _shares(precision)}


def personal_data(pairs: Iterable[tuple[Truth, Sequence[str]]]) -> dict[str, Any]:
    """Return recall and precision by kind, over rows that were kept.

    A value counts as found when it is gone and a placeholder of its kind is there for it; a placeholder without such a
    value is wrong. No row of the sample has placeholders of its own.
    """
    recall: dict[str, list[bool]] = defaultdict(list)
    precision: dict[str, list[bool]] = defaultdict(list)
    for row, texts in pairs:
        text = "\n".join(texts)
        planted = row.get("pii", [])
        gone = Counter(one["kind"] for one in planted if one["value"] not in text)
        there = {kind: text.count(f"<{kind}>") for kind in KINDS}
        for kind, count in there.items():
            precision[kind] += [number < gone[kind] for number in range(count)]
        for kind, count in Counter(one["kind"] for one in planted).items():
            recall[kind] += [number < min(gone[kind], there[kind]) for number in range(count)]
    return {"recall": _shares(recall), "precision": _shares(precision)}


KINDS = ("email", "cn_id", "phone", "bank_card", "credit_code", "ip", "wechat_id", "qq", "api_key")


def _is_as_told(truth: Truth, outcome: Outcome) -> bool:
    return bool(truth["status"] == outcome["status"] and {*truth.get("reasons", [])} <= {*outcome["reasons"]})


def _texts(pairs: Iterable[tuple[Truth, Sequence[str]]], key: str, *, present: bool) -> dict[str, Any]:
    right: dict[str, list[bool]] = defaultdict(list)
    for row, texts in pairs:
        for kind, wanted in row.get(key, []):
            right[kind].append(any(wanted in text for text in texts) == present)
    return _shares(right)


def _shares(right: Mapping[str, list[bool]]) -> dict[str, Any]:
    """Return a share per name, and one of all."""
    together = [one for listed in right.values() for one in listed]
    return {**{name: _share(listed) for name, listed in sorted(right.items())}, "all": _share(together)}


def _share(right: Iterable[bool]) -> dict[str, Any]:
    listed = list(right)
    return {"hits": sum(listed), "of": len(listed), "share": sum(listed) / len(listed) if listed else None}


def _good_texts(run: Path, sources: Sequence[str]) -> Iterator[tuple[str, list[list[str]]]]:
    """Give the texts of the rows in `good/`, in order, by input file."""
    import pyarrow.parquet as pq

    from cleaning.assemble import output_names
    from utils.data.formats import detect

    for source, target in output_names(sources).items():
        path = run / "good" / target
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            rows = [orjson.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        yield source, [[text for _, _, text in detect(row, where=target).texts(row)] for row in rows]
