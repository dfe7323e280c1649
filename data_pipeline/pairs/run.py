"""Judged answers become preference pairs; every prompt without one has its reason."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from data_pipeline.candidates.table import read_candidates
from data_pipeline.judges.table import read_judgements
from data_pipeline.pairs.card import card, similarity
from data_pipeline.pairs.choose import Choice, choose
from data_pipeline.pairs.config import PairsConfig
from data_pipeline.pairs.scored import Scored
from utils.data.ledger import decisions_table, write_decisions
from utils.data.records import Message, Preference, from_dicts, preference_id, preferences_to_table, write_parquet
from utils.data.rows import to_trl
from utils.errors import UserError

if TYPE_CHECKING:
    from utils.runs.directory import Run

Row = dict[str, Any]


def inputs(config: PairsConfig) -> list[Path]:
    """Return both tables."""
    return [config.candidates, config.judgements]


def dry_run(config: PairsConfig) -> dict[str, Any]:
    """Return how many answers and scores there are."""
    return {
        "answers": read_candidates(config.candidates).num_rows,
        "judgements": read_judgements(config.judgements).num_rows,
    }


def work(run: Run, config: PairsConfig) -> dict[str, Any]:
    """Make the pairs, and commit them with their card and decisions."""
    prompts, judge = by_prompt(config)
    outcomes = {prompt_id: _outcome(rows, config) for prompt_id, rows in sorted(prompts.items())}
    choices = {prompt_id: outcome for prompt_id, outcome in outcomes.items() if isinstance(outcome, Choice)}
    reasons = Counter(outcome for outcome in outcomes.values() if not isinstance(outcome, Choice))
    pairs = [preference(prompts[prompt_id][0], choice, judge, config) for prompt_id, choice in choices.items()]
    pairs.sort(key=lambda pair: pair.id)
    counts = {
        "in": len(prompts),
        "kept": len(choices),
        "dropped": reasons.total(),
        "quarantined": 0,
        "by_reason": dict(sorted(reasons.items())),
    }
    about = {"judge": judge, "rule": config.rule.model_dump(mode="json"), **card(list(choices.values()), reasons)}
    into = config.name or config.output.name
    decisions = [decision(prompt_id, outcome, into) for prompt_id, outcome in outcomes.items()]
    _publish(run, pairs, decisions, about, counts)
    return counts


def by_prompt(config: PairsConfig) -> tuple[dict[str, list[Row]], str]:
    """Return the candidates of every prompt, each with its `score` (None when invalid or not judged), and the judge.

    Raises:
        UserError: two judges, a candidate judged twice, or no judgement that belongs to these candidates.

    """
    judgements = read_judgements(config.judgements).to_pylist()
    judges = sorted({row["judge"] for row in judgements})
    scores = {row["candidate_id"]: row["score"] if row["valid"] else None for row in judgements}
    where = str(config.judgements)
    if len(judges) != 1 or len(scores) != len(judgements):
        raise UserError(f"pairs need one judge with one score per answer, not {judges}", where=where)
    candidates = read_candidates(config.candidates).to_pylist()
    if not any(row["candidate_id"] in scores for row in candidates):
        raise UserError("no judgement belongs to these candidates", where=where, mend="judge this candidates run")
    prompts: dict[str, list[Row]] = defaultdict(list)
    for row in candidates:
        prompts[row["prompt_id"]].append({**row, "score": scores.get(row["candidate_id"])})
    return dict(prompts), judges[0]


def _outcome(rows: list[Row], config: PairsConfig) -> Any:
    answers = [
        Scored(row["candidate_id"], row["text"], row["score"], row["model"], row["policy"], frozenset(row["flags"]))
        for row in rows
        if row["score"] is not None
    ]
    return choose(answers, rows[0]["reference"], config)


def preference(row: Row, choice: Choice, judge: str, config: PairsConfig) -> Preference:
    """Return the pair as a preference, with all that led to it in its provenance."""
    prompt = from_dicts(row["prompt"])
    chosen, rejected = ((Message("assistant", side.text),) for side in (choice.chosen, choice.rejected))
    sides = {"chosen": choice.chosen, "rejected": choice.rejected}
    provenance = {
        "prompt_id": row["prompt_id"],
        "judge": judge,
        "rule": config.rule.model_dump(mode="json"),
        "gap": choice.gap,
        "scores": {name: side.score for name, side in sides.items()},
        "models": {name: side.model for name, side in sides.items()},
        "candidate_ids": {name: side.candidate_id for name, side in sides.items()},
        "policy": {name: side.policy for name, side in sides.items()},
        "similarity": similarity(choice.chosen.text, choice.rejected.text),
    }
    return Preference(preference_id(prompt, chosen, rejected), row["source"], prompt, chosen, rejected, provenance)


def decision(prompt_id: str, outcome: Choice | str, into: str) -> Row:
    """Return what became of a prompt, as a row of the decision ledger."""
    paired = isinstance(outcome, Choice)
    return {
        "id": prompt_id,
        "status": "kept" if paired else "dropped",
        "reasons": [] if paired else [outcome],
        "into": into if paired else None,
    }


def _publish(run: Run, pairs: list[Preference], decisions: list[Row], about: Row, counts: Row) -> None:
    with run.unit("pairs") as unit:
        with unit.file("pairs.parquet") as temporary:
            write_parquet(preferences_to_table(pairs), temporary)
        with unit.file("pairs.jsonl") as temporary:
            temporary.write_bytes(b"".join(orjson.dumps(to_trl(pair)) + b"\n" for pair in pairs))
        with unit.file("ledger/decisions.parquet") as temporary:
            write_decisions(decisions_table(decisions), temporary)
        with unit.file("card.json") as temporary:
            temporary.write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        unit.commit(counts)
