"""The cleaning rules. A new one is one file here and one line in the union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cleaning.rules.author_claims import AuthorClaims
from cleaning.rules.blacklist import Blacklist
from cleaning.rules.blank_lines import BlankLines
from cleaning.rules.blanks_beside_cjk import BlanksBesideCjk
from cleaning.rules.chapter_text import ChapterText
from cleaning.rules.cjk_full_stop import CjkFullStop
from cleaning.rules.common_characters import CommonCharacters
from cleaning.rules.contact_lines import ContactLines
from cleaning.rules.edge_ads import EdgeAds
from cleaning.rules.edge_punctuation import EdgePunctuation
from cleaning.rules.field import RowField
from cleaning.rules.head_tail_cut import HeadTailCut
from cleaning.rules.head_words import HeadWords
from cleaning.rules.html import Html
from cleaning.rules.infobox import Infobox
from cleaning.rules.language import Language
from cleaning.rules.last_sentence import LastSentence
from cleaning.rules.long_dashes import LongDashes
from cleaning.rules.look_alikes import LookAlikes
from cleaning.rules.lottery import Lottery
from cleaning.rules.low_quality_turns import LowQualityTurns
from cleaning.rules.markdown_images import MarkdownImages
from cleaning.rules.mentions import Mentions
from cleaning.rules.minimum_length import MinimumLength
from cleaning.rules.mixed_punctuation import MixedPunctuation
from cleaning.rules.mixed_scripts import MixedScripts
from cleaning.rules.mojibake import Mojibake
from cleaning.rules.mojibake_ratio import MojibakeRatio
from cleaning.rules.personal_data import PersonalData
from cleaning.rules.placeholder_input import PlaceholderInput
from cleaning.rules.platform_counts import PlatformCounts
from cleaning.rules.question_mark import QuestionMark
from cleaning.rules.quote_style import QuoteStyle
from cleaning.rules.reference_section import ReferenceSection
from cleaning.rules.repeated_punctuation import RepeatedPunctuation
from cleaning.rules.repetition import Repetition
from cleaning.rules.sentence_marks import SentenceMarks
from cleaning.rules.short_sentences import ShortSentences
from cleaning.rules.table_page import TablePage
from cleaning.rules.title import Title
from cleaning.rules.title_heading import TitleHeading
from cleaning.rules.traditional_to_simplified import TraditionalToSimplified
from cleaning.rules.url import Url
from cleaning.rules.valid_characters import ValidCharacters
from cleaning.rules.width import Width
from cleaning.rules.wiki_references import WikiReferences

Rule = Annotated[
    ValidCharacters
    | Html
    | PersonalData
    | BlankLines
    | ChapterText
    | CommonCharacters
    | RowField
    | HeadTailCut
    | Infobox
    | Language
    | LastSentence
    | LowQualityTurns
    | MixedScripts
    | QuestionMark
    | SentenceMarks
    | ShortSentences
    | TablePage
    | Title
    | TitleHeading
    | MinimumLength
    | Mojibake
    | Width
    | LookAlikes
    | TraditionalToSimplified
    | QuoteStyle
    | RepeatedPunctuation
    | MixedPunctuation
    | LongDashes
    | CjkFullStop
    | BlanksBesideCjk
    | EdgePunctuation
    | Repetition
    | MojibakeRatio
    | AuthorClaims
    | Blacklist
    | ContactLines
    | EdgeAds
    | HeadWords
    | Lottery
    | MarkdownImages
    | Mentions
    | PlaceholderInput
    | PlatformCounts
    | ReferenceSection
    | Url
    | WikiReferences,
    Field(discriminator="rule"),
]  # fmt: skip

__all__ = ["Rule"]
