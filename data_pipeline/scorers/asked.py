"""What a task asks for, read off its first line: who, when, why, a list, a story, a class, in English and Chinese."""

from __future__ import annotations

import re

_CHARACTERS = 1000  # the beginning of the line that is looked at
# English at the beginning or anywhere, then Chinese anywhere.
_KINDS = tuple(
    re.compile(kind, re.IGNORECASE)
    for kind in (
        r"\W*(?:what|who|whom|whose|when|where|which|why|how|is|are|was|were|can|could|do|does|did|should|would|will)\b"
        r"|.*(?:什么|谁|何时|哪|为什么|怎么|如何|多少|几|吗|呢)",
        r"\W*(?:why|how|explain|describe)\b|.*(?:为什么|如何|怎么|怎样|解释|描述)",
        r"\W*(?:write|create|generate|compose|design|construct|come up|develop|imagine|tell|draft|produce|make)\b"
        r"|.*(?:写|创作|生成|设计|编写|创建|想象|撰写)",
        r"\W*who\b|.*谁",
        r"\W*when\b|.*\bwhat year\b|.*(?:何时|什么时候|哪一?年)",
        r"\W*where\b|.*(?:哪里|哪儿|何处|在哪)",
        r"\W*what (?:is|was)\b|.*(?:什么是|是什么)",
        r"\W*what (?:are|were)\b|.*(?:哪些|有什么)",
        r"\W*why\b|.*为什么",
        r"\W*how\b|.*(?:如何|怎么|怎样)",
        r"\W*how (?:many|much|long|far|old)\b|.*(?:多少|多久|多远|几)",
        r"\W*(?:is|are|was|were|can|could|do|does|did|should|will|would|has|have)\b|.*(?:吗|是否|是不是|能否)",
        r"\W*which\b|.*哪",
        r".*\b(?:classify|categori[sz]e|identify which|tell me (?:which|whether|if)|which of (?:these|the following)"
        r"|either|label each)\b|.*(?:分类|归类|属于|判断)",
        r".*\b(?:some|ideas?|list|suggest|recommend|ways|tips|things|brainstorm|top|best)\b"
        r"|.*(?:列出|列举|建议|推荐|一些|点子)",
        r".*\b(?:text|passage|paragraph|article|reference|given|extract|provided)\b|.*(?:文章|段落|文本|提取|给定)",
        r".*\b(?:summar\w+|short|brief)\b|.*(?:总结|概括|摘要|简要)",
        r".*\b(?:i|my|me|i'm|we)\b|.*我",
        r".*\b(?:write|story|poem|letter|email|essay)\b|.*(?:故事|诗|信|邮件|作文|文章)",
        r".*\bor\b|.*(?:或|还是)",
        r".*[:,].*,|.*[:，、：].*[，、]",
        r".*\b(?:difference|compare)\b|.*(?:区别|比较|差异|不同)",
        r".*\b(?:should|would|could|good|best)\b|.*(?:应该|最好)",
        r".*\b(?:sentence|word|phrase)\b|.*(?:句|词)",
        r".*\b(?:name|find|identify|determine|calculate|convert|state)\b|.*(?:找出|计算|转换|识别|确定)",
        r".*\b(?:explain|describe|discuss)\b|.*(?:解释|描述|讨论)",
        r".*\b(?:given|following)\b|.*(?:以下|下面|给定)",
    )
)


def asked(task: str) -> list[float]:
    """Return 1 for each kind of question or order that the line looks like, else 0; then how it ends: ?, ., :."""
    begun, end = task[:_CHARACTERS], task.rstrip()[-1:]
    return [
        *(float(bool(kind.match(begun))) for kind in _KINDS),
        float(end in ("?", "？")),
        float(end in (".", "。")),
        float(end in (":", "：")),
    ]
