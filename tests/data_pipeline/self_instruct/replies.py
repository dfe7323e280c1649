"""Thirty replies of a model that never was, each with what must become of every draft in it, worked out by hand.

A prompt shows four examples, so a reply goes on after `5. Instruction:`. In a list of fates, None is an accepted draft.
"""

from __future__ import annotations

SEEDS = [
    ("s1", "Name three rivers that flow into the Black Sea.", [("", "Danube, Dnieper, Don.")], False),
    ("s2", "Rewrite the sentence in the past tense.", [("She walks home.", "She walked home.")], False),
    ("s3", "Is the review positive or negative?", [("A dull film.", "negative"), ("I loved it!", "positive")], True),
    ("s4", "Explain why the sky is blue to a child.", [("", "Sunlight is scattered by air, blue most.")], False),
    ("s5", "Calculate the sum of the two numbers.", [("3 and 9", "12")], False),
    ("s6", "Decide whether the animal is a mammal or a bird.", [("sparrow", "bird")], True),
]


def whole(number: int, instruction: str, output: str, given: str = "<noinput>", kind: str = "no") -> str:
    parts = [f"{number}. Input:\n{given}", f"{number}. Output:\n{output}"]
    head = f"{number}. Instruction: {instruction}\n{number}. Classification: {kind}"
    return "\n".join([head, *(parts if kind == "no" else reversed(parts))])


def after(text: str) -> str:
    """Return a reply that goes on where the prompt ended."""
    return text.removeprefix("5. Instruction:")


LONG = "Describe " + "very " * 150 + "slowly how bread rises."  # 155 words

Fate = str | None
REPLIES: list[tuple[str | None, str, list[Fate]]] = [
    # 1: two whole tasks, going on after the label
    (
        after(whole(5, "List four uses of baking soda at home.", "Cleaning, baking, odours, polishing."))
        + "\n###\n"
        + whole(6, "Translate the proverb into French.", "Qui vivra verra.", "Time will tell."),
        "stop",
        [None, None],
    ),
    # 2: a chat model that repeats the label, and separates nothing
    (
        whole(5, "Suggest a title for a poem about autumn leaves.", "Falling Gold")
        + "\n"
        + whole(6, "Summarize the paragraph in one sentence.", "Bees pollinate crops.", "Bees fly from crop to crop."),
        "stop",
        [None, None],
    ),
    # 3: a classification, its output first
    (
        after(whole(5, "Tell if the message is spam or not spam.", "spam", "You won a prize, click now!", "yes")),
        "stop",
        [None],
    ),
    # 4: a classification with its input first
    (
        "5. Instruction: Label the headline as sports or politics.\n5. Classification: yes\n"
        "5. Input:\nTeam wins final\n5. Output:\nsports",
        "stop",
        ["wrong_order"],
    ),
    # 5: cut by the limit: the last task is lost, the first is whole
    (
        after(whole(5, "Give a recipe for a simple tomato soup.", "Cook tomatoes with onion, then blend."))
        + "\n###\n"
        + whole(6, "Compare cats and dogs as pets for small flats.", "Cats need less sp"),
        "length",
        [None, "cut"],
    ),
    # 6: no output
    (
        "5. Instruction: Name a prime number above fifty.\n5. Classification: no\n5. Input:\n<noinput>",
        "stop",
        ["unreadable"],
    ),
    # 7: chatter instead of a list
    ("Sure! Here are some great ideas for you.", "stop", ["unreadable"]),
    # 8: a decision that is none, then a good task
    (
        whole(5, "Sort the words by their length.", "a, an, and", "and, a, an", kind="no").replace(": no", ": maybe")
        + "\n###\n"
        + whole(6, "Sort the given years from early to late.", "1066, 1789, 1969", "1969, 1066, 1789"),
        "stop",
        ["unreadable", None],
    ),
    # 9: numbers that do not belong together
    (
        "5. Instruction: Name a famous bridge.\n5. Classification: no\n6. Input:\n<noinput>\n5. Output:\nGolden Gate",
        "stop",
        ["unreadable"],
    ),
    # 10: one word differs from a seed: 9 of 9 and 9 words, 8 in common, 16/18
    (
        after(whole(5, "Name four rivers that flow into the Black Sea.", "Danube, Don, Dnieper, Kuban.")),
        "stop",
        ["near_duplicate"],
    ),
    # 11: near to what reply 1 brought: 8 and 8 words, 7 in common, 14/16
    (after(whole(5, "List five uses of baking soda at home.", "Many.")), "stop", ["near_duplicate"]),
    # 12: near to each other within one reply; the first stays
    (
        after(whole(5, "Write a haiku about the first snow.", "White hush on the roof"))
        + "\n###\n"
        + whole(6, "Write a haiku about the last snow.", "Grey slush at the door"),
        "stop",
        [None, "near_duplicate"],
    ),
    # 13: ROUGE-L exactly at the threshold: 10 and 10 words, 7 in common, 14/20 = 0.7
    (
        after(whole(5, "Plan one quiet day in Rome for my old parents.", "See the Forum, then rest."))
        + "\n###\n"
        + whole(6, "Plan one quiet day in Rome for two small children.", "Visit the zoo."),
        "stop",
        [None, "near_duplicate"],
    ),
    # 14: below it: 6 of 10 words, 12/20; what was refused in 13 is not in the pool
    (after(whole(5, "Plan one quiet day in Rome with two small children.", "Visit the zoo.")), "stop", [None]),
    # 15: too short, too long
    (
        after(whole(5, "Tell a joke.", "Why did the chicken cross the road?"))
        + "\n###\n"
        + whole(6, LONG, "It rises."),
        "stop",
        ["too_short", "too_long"],
    ),
    # 16: four words are enough
    (after(whole(5, "Define photosynthesis in brief.", "Plants turn light into sugar.")), "stop", [None]),
    # 17: beyond text
    (
        after(whole(5, "Describe what the picture shows in detail.", "A cat."))
        + "\n###\n"
        + whole(6, "Play some relaxing music for the evening.", "Playing.")
        + "\n###\n"
        + whole(7, "Explain the word photography to a beginner.", "Writing with light."),
        "stop",
        ["beyond_text", "beyond_text", None],
    ),
    # 18: a program or its result?
    (after(whole(5, "Write a program that reverses a string.", "s[::-1]")), "stop", ["asks_for_program"]),
    # 19: Chinese where English was asked for
    (after(whole(5, "请列举三种常见的水果并说明理由。", "苹果、香蕉、梨")), "stop", ["other_language"]),
    # 20: not text; a mark in front
    (
        after(whole(5, "1 + 2 = ? (3 * 4) / {5} - [6] ~ <7>", "?"))
        + "\n###\n"
        + whole(6, "- Name the tallest tree.", "A sequoia."),
        "stop",
        ["not_text", "starts_with_mark"],
    ),
    # 21: a piece of the prompt itself
    (after(whole(5, "Mix questions and imperative sentences.", "Done.")), "stop", ["repeats_prompt"]),
    # 22: a number that the second answer confirms; one that it does not
    (
        after(whole(5, "Multiply the numbers that are given below.", "42", "6 and 7"))
        + "\n###\n"
        + whole(6, "How many days has a leap year?", "365"),
        "stop",
        [None, "answers_disagree"],
    ),
    # 23: a label that the second answer contradicts
    (after(whole(5, "Classify the fruit as sweet or sour.", "sweet", "lemon", "yes")), "stop", ["answers_disagree"]),
    # 24: flaws of an instance
    (
        after(whole(5, "Repeat the following line word by word.", "So be it.", "So be it."))
        + "\n###\n"
        + whole(6, "Continue the dialogue between two sailors.", "The captain said:", "Ahoy!")
        + "\n###\n"
        + whole(7, "Ask a friend for help with moving.", "Ask a friend for help with moving.")
        + "\n###\n"
        + "8. Instruction: Name the capital city of Peru.\n8. Classification: no\n8. Input:\n<noinput>\n8. Output:\n",
        "stop",
        ["output_is_input", "unfinished", "output_is_instruction", "empty_output"],
    ),
    # 25: an empty reply
    ("  \n", "stop", ["empty_reply"]),
    # 26: the request failed for good
    (None, "", ["failed"]),
    # 27: a label twice
    (
        after(whole(5, "Give an antonym for each word.", "cold", "hot")) + "\n5. Output:\nicy",
        "stop",
        ["unreadable"],
    ),
    # 28: lines of ### and labels without numbers inside an answer belong to it
    (
        after(whole(5, "Draft a short memo with a heading line.", "### Memo\nInput: none\nOutput: none\nAll is well.")),
        "stop",
        [None],
    ),
    # 29: only one task, cut
    (after(whole(5, "Outline a talk about urban gardens.", "First, soil. Second,")), "length", ["cut"]),
    # 30: numbered from one, with marks of emphasis that are not in the form
    (
        whole(1, "Convert the temperature to degrees Celsius.", "100", "212 degrees Fahrenheit")
        + "\n###\n**2. Instruction:** Name two planets.",
        "stop",
        [None, "unreadable"],
    ),
]

CHECKS = {  # the second answer, by what the instruction begins with
    "Tell if the message": "Spam.",
    "Multiply": "The product is 42.",
    "How many days": "366",
    "Classify the fruit": "sour",
    "Convert the temperature": "It is 100 °C.",
}
