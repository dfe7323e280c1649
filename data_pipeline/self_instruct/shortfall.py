"""What a taxonomy lacks: which node the next prompt is for, which seed tasks show it, and what is wanted no more."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from data_pipeline.attributes.taxonomy.mapping import keyword_nodes
from data_pipeline.attributes.taxonomy.tree import Taxonomy
from data_pipeline.quota import QuotaFile
from data_pipeline.self_instruct.tasks import Row, SeedTask
from data_pipeline.tier.choices import REST
from utils.errors import UserError

OVER_QUOTA = "over_quota"


class Shortfall:
    """Tasks that are wanted by node.

    A task counts once: for its node when that is short, else for the nearest node above that is. What a node above
    lacks beyond the nodes below it is room of its own.

    Args:
        file: of a card; one quota of rows, and the tree.
        seeds: belong to the node that they name, else to that of their keywords.
        where: the file of the seeds.

    Raises:
        UserError: a seed names a node that is not there, or a node that is short has no seed.

    """

    def __init__(self, file: QuotaFile, seeds: Sequence[SeedTask], where: Path) -> None:
        if file.taxonomy is None or (wanted := file.quotas[0].rows) is None:
            raise UserError("the quota has no taxonomy, or no rows", where="quota", mend="take quota.yaml of a card")
        self._tree, self._paths = file.taxonomy, file.taxonomy.paths
        self._short = {node for node, rows in wanted.items() if rows and node != REST}
        below: Counter[str] = Counter()
        for node in self._short:
            if (above := self.home(self._paths[node][:-1])) is not None:
                below[above] += wanted[node]
        rooms = {node: wanted[node] - below[node] for node in self._paths if node in self._short}
        self.rooms = {node: room for node, room in rooms.items() if room > 0}
        self.seeds = self._by_node(seeds, where)

    def home(self, path: Sequence[str]) -> str | None:
        """Return the nearest node that is short: the last of a path; None where none is."""
        return next((node for node in reversed(path) if node in self._short), None)

    def _by_node(self, seeds: Sequence[SeedTask], where: Path) -> dict[str, list[SeedTask]]:
        words = nodes_by_word([(seed.instruction, seed.instances[0][0]) for seed in seeds], self._tree)
        found: dict[str, list[SeedTask]] = defaultdict(list)
        for seed, word in zip(seeds, words, strict=True):
            if seed.node is not None and seed.node not in self._paths:
                raise UserError(f"task {seed.id} names a node {seed.node!r} that is not in the tree", where=str(where))
            node = seed.node or word
            if node is not None and (home := self.home(self._paths[node])) in self.rooms:
                found[str(home)].append(seed)
        if bare := [node for node in self.rooms if not found[node]]:
            mend = 'give seed tasks a key "node", or take these out of the quota'
            raise UserError(f"no seed task belongs to {', '.join(bare)}", where=str(where), mend=mend)
        return {node: found[node] for node in self.rooms}

    def asked(self, taken: Counter[str], number: int, per_prompt: int) -> str:
        """Return the node that a batch's prompt of this number is for: the one that lacks most, less what is asked."""
        left = {node: room - taken[node] for node, room in self.rooms.items()}
        for _ in range(number):
            left[max(left, key=lambda node: left[node])] -= per_prompt
        return max(left, key=lambda node: left[node])

    def full(self, taken: Counter[str]) -> bool:
        """Tell whether nothing is wanted any more."""
        return all(taken[node] >= room for node, room in self.rooms.items())

    def place(self, rows: Sequence[Row], taken: Counter[str]) -> None:
        """Give each task its node, and drop what is wanted no more.

        A task belongs to the node of its keywords; one that has none to the node that it was asked for.
        """
        here = Counter(taken)
        words = nodes_by_word([(row["instruction"], row["input"] or "") for row in rows], self._tree)
        for row, word in zip(rows, words, strict=True):
            node = row["node"] if word is None else self.home(self._paths[word])
            if node is None or here[node] >= self.rooms.get(node, 0):
                row |= {"status": "dropped", "reason": OVER_QUOTA}
            else:
                here[node] += 1
            row["node"] = node or word


def nodes_by_word(tasks: Sequence[tuple[str, str]], tree: Taxonomy) -> list[str | None]:
    """Return the node of each task (instruction, input) by its keywords."""
    texts = pl.Series([f"{instruction}\n{given}" for instruction, given in tasks], dtype=pl.String)
    return keyword_nodes(texts, tree).to_list()
