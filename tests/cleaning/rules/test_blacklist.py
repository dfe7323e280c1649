"""Blacklists: what counts as a hit, thresholds, lists by name and path, and what a policy says when one is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from cleaning.blacklists import LISTS, read_lists
from cleaning.policy import load_policy, rule_from
from cleaning.rules.base import parameters
from tests.support.cleaning import batch_of, measured
from utils.errors import UserError


@pytest.fixture
def words(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text(
        "# a comment\n博彩=>gumble\n在线博彩=>gambling\n发票=>ads\n"
        "casino=>gambling\n党\nab\n傻瓜=>dirty\n繁體=>other\n",
        encoding="utf-8-sig",
    )
    return str(path)


def _rule(words: str, **more: Any) -> dict[str, Any]:
    return {"rule": "blacklist", "lists": [words], "reject_at": 1, **more}


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("在线博彩平台", 1),  # the entry inside the longer one counts with it
        ("博彩，博彩，开发票", 3),
        ("Casino 与 ＣＡＳＩＮＯ", 2),
        ("casinos 与 mycasino", 0),  # whole words only
        ("去casino玩", 1),  # Han is no part of a word
        ("党 ab", 0),  # too short to mean anything
        ("繁體", 1),
        ("繁体", 0),
        ("", 0),
    ],
)
def test_what_is_a_hit(words: str, text: str, hits: int) -> None:
    assert measured(text, _rule(words)) == (hits, hits >= 1)


def test_thresholds_categories_suspended_and_allowed_entries(words: str, tmp_path: Path) -> None:
    text = "傻瓜开发票，博彩博彩"
    assert measured(text, _rule(words, reject_at=3)) == (4, True)
    assert measured(text, _rule(words, reject_at=5)) == (4, False)
    assert measured(text, _rule(words, categories=["gambling"]))[0] == 2
    assert measured(text, _rule(words, categories=["gumble", "dirty"]))[0] == 3
    assert measured(text, _rule(words, suspended=["博彩", "发票"]))[0] == 1
    assert measured("啊" * 496 + "博彩发票", _rule(words, per_1000_characters=True, reject_at=4)) == (4, True)
    assert measured("党", _rule(words, shortest_cjk=1))[0] == 1
    assert measured("ab", _rule(words, shortest_ascii=2))[0] == 1
    allowed = tmp_path / "fine.txt"
    allowed.write_text("电子发票系统\n傻瓜相机\n", encoding="utf-8")
    assert measured("电子发票系统与傻瓜相机，假发票", _rule(words, allow=[str(allowed)]))[0] == 1


def test_hits_name_entry_category_and_place_in_the_cleaned_text(words: str) -> None:
    rows = [{"instruction": "博彩博彩", "output": "远离\u200b在线博彩"}, {"instruction": "a", "output": "b"}]
    batch = batch_of(rows, "alpaca", "valid_characters", _rule(words, name="toxic"))
    (hit,) = batch.hits.iter_rows(named=True)
    assert (hit["row"], hit["rule"], hit["what"]) == (0, "toxic", "在线博彩=>gambling")
    answer = batch.texts.filter(row=0, place=hit["place"])["text"][0]
    assert answer[hit["start"] : hit["end"]] == "在线博彩"
    assert batch.values["value"].to_list() == [1.0, 0.0]  # questions are not measured


@settings(max_examples=200, deadline=None, derandomize=True)
@drawn(st.lists(st.lists(st.sampled_from([*"ab博彩在线 ，", "在线博彩", "ab"]), max_size=20).map("".join), max_size=5))
def test_count_is_that_of_a_plain_search(texts: list[str]) -> None:
    entries = ("博彩", "在线博彩", "彩在", "线线")
    spans = [[(at, at + len(e)) for e in entries for at in range(len(t)) if t.startswith(e, at)] for t in texts]
    outer = [[s for s in own if not any(o != s and o[0] <= s[0] and s[1] <= o[1] for o in own)] for own in spans]
    batch = batch_of([{"text": t} for t in texts], "document", _rule(str(_ENTRIES)))
    assert batch.values["value"].to_list() == [float(len(own)) for own in outer]


_ENTRIES = Path(__file__).with_name("blacklist_entries.txt")


def test_a_missing_list_or_category_is_one_clear_line(words: str, tmp_path: Path) -> None:
    policy = tmp_path / "p.yaml"
    for line, said in (
        ("lists: [no/such.txt]", r"no list 'no/such.txt'.*zh"),
        (f"lists: [{words}]\n    categories: [gamblin]", "no category 'gamblin'"),
        (f"lists: [{words}]\n    allow: [nowhere]", "no list 'nowhere'"),
    ):
        policy.write_text(f"rules:\n  - rule: blacklist\n    {line}\n")
        with pytest.raises(UserError, match=said) as raised:
            load_policy(policy)
        assert "\n" not in str(raised.value) and "p.yaml" in str(raised.value)
    (tmp_path / "gbk.txt").write_bytes("博彩".encode("gbk"))
    policy.write_text(f"rules:\n  - rule: blacklist\n    lists: [{tmp_path / 'gbk.txt'}]\n")
    with pytest.raises(UserError, match="not UTF-8"):
        load_policy(policy)


def test_a_changed_list_is_another_policy(words: str) -> None:
    given = parameters(rule_from(_rule(words)))
    assert rule_from(given) == rule_from(_rule(words))
    Path(words).write_text("博彩\n", encoding="utf-8")
    assert parameters(rule_from(_rule(words))) != given
    with pytest.raises(ValueError, match="changed since"):
        rule_from(given)


def test_a_path_is_kept_absolute(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(words).parent)
    assert rule_from(_rule("words.txt")).model_dump()["lists"] == (words,)


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("本店代开发票，代开餐饮发票，加微信领取优惠", True),
        ("六合彩特码资料，一肖中特，真人荷官在线投注", True),
        ("Best online casino: free spins no deposit, play slots online", True),
        ("如何识别刷单兼职诈骗？天下没有稳赚不赔的生意，遇到赌博网站请报警。", False),
        ("开具增值税发票的流程如下：登录系统，选择发票类型，填写抬头。", False),
        ("《百家讲坛》讲了诸子百家，也讲彩票的概率。", False),
        ("The casino scene in the film shows how roulette works mathematically.", False),
        ("Scunthorpe, assassin, Dickens, cocktail, Essex: ordinary words.", False),
    ],
)
def test_own_lists_on_ordinary_texts(text: str, drop: bool) -> None:
    assert measured(text, {"rule": "blacklist"})[1] == drop


def test_own_lists_are_in_order() -> None:
    for path in sorted(LISTS.glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        assert len(lines) == len(set(lines)) and all(line == line.strip() != "" for line in lines), path
    for entry in read_lists(["zh", "en"]):
        assert len(entry.phrase) >= (2 if not entry.phrase.isascii() else 6), entry
        assert entry.category in {"ads", "spam", "gambling", "sex", "dirty", "badword"}
