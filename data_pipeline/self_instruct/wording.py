"""What the prompts say, in English and in Chinese, and the words that a text model's instruction may not have.

These are ours. Their demands are those of Self-Instruct (arXiv 2212.10560), Alpaca and BELLE; docs/SELF_INSTRUCT.md
says which were taken over. A change here changes the run's key, and `version` in every row's provenance.
"""

from __future__ import annotations

from dataclasses import dataclass

from utils.runs.manifest import digest


@dataclass(frozen=True, slots=True)
class Wording:
    """One language.

    Args:
        task: the label of an instruction, as the fields below are those of the other parts.
        kind: the label of the decision.
        given: the label of an input.
        answer: the label of an output.
        yes: it is a classification.
        no: it is none.
        no_input: stands where a task has no input.
        colon: after a label.
        whole_tasks: asks for `{count}` whole tasks.
        instructions: asks for `{count}` instructions.
        decision: asks whether a task is a classification.
        instance: asks for one instance.
        check: asks for the answer alone.
        programs: beginnings of instructions that leave open whether a program or its result is wanted (Self-Instruct).
        cannot_do: what a text model cannot read, show or do (Alpaca's list, and BELLE's).

    """

    task: str
    kind: str
    given: str
    answer: str
    yes: str
    no: str
    no_input: str
    colon: str
    whole_tasks: str
    instructions: str
    decision: str
    instance: str
    check: str
    programs: tuple[str, ...]
    cannot_do: tuple[str, ...]

    @property
    def version(self) -> str:
        """A hash of all of it."""
        return digest([getattr(self, name) for name in self.__dataclass_fields__])


EN = Wording(
    task="Instruction",
    kind="Classification",
    given="Input",
    answer="Output",
    yes="yes",
    no="no",
    no_input="<noinput>",
    colon=": ",
    whole_tasks="""\
Write {count} new tasks for an assistant that reads and writes text. Each has an instruction, an input and an output.

1. Vary the verbs, the topics and the kind of task: open questions, writing, rewriting, extraction, classification, \
reasoning, calculation, code. Mix questions and imperative sentences.
2. The assistant has only text: no pictures, sounds or files, no browsing, no reminders, no actions in the world.
3. An instruction is one or two sentences of English.
4. The input is realistic, specific material of at most 100 words, never a placeholder. Where the instruction needs \
none, write {no_input}.
5. The output is a correct and complete answer of at most 100 words.
6. In a classification the answer is one of a few labels. There the output comes first, then an input for which that \
label is right; spread the labels. In all other tasks the input comes first.
7. Keep exactly to the form of the examples and go on with their numbers. Between two tasks stands a line with ###.""",
    instructions="""\
Write {count} new instructions for an assistant that reads and writes text, one a line, numbered like the examples. \
Vary the verbs, the topics and the kind of task; include tasks that can be answered by one of a few labels. \
The assistant has only text: no pictures, sounds or files, no browsing, no actions in the world. \
Each is one or two sentences of English and says nothing of its input.""",
    decision="""\
Is the task a classification, that is, is every right answer one of a few labels that can be listed beforehand? \
Answer with yes or no and nothing else.""",
    instance="""\
Write one instance of the last task in the form of the examples. The input is realistic, specific material of at most \
100 words, never a placeholder; where the instruction needs none, write {no_input}. The output is a correct and \
complete answer of at most 100 words.""",
    check="Do the task. Give the answer alone, without explanation.",
    programs=("write a program",),
    cannot_do=(
        "image", "images", "graph", "graphs", "picture", "pictures", "photo", "photos", "file", "files", "map", "maps",
        "draw", "plot", "go to", "video", "videos", "audio", "music", "flowchart", "diagram", "diagrams",
    ),
)  # fmt: skip

ZH = Wording(
    task="指令",
    kind="分类",
    given="输入",
    answer="输出",
    yes="是",
    no="否",
    no_input="<无输入>",
    colon="：",
    whole_tasks="""\
请为一个只读写文字的助手编写{count}个新任务。每个任务由指令、输入和输出组成。

1. 动词、话题和任务类型要多样：开放问答、写作、改写、抽取、分类、推理、计算、代码等。疑问句与祈使句都要有。
2. 助手只有文字能力：不能看图、听声音、打开文件或网页，也不能提醒或执行任何动作。
3. 指令用中文，一到两句话。
4. 输入是真实、具体的内容，不超过100字，不能是占位符。指令不需要输入时写{no_input}。
5. 输出是正确、完整的回答，不超过100字。
6. 分类任务的答案是少数几个标签之一：先写输出，再写符合该标签的输入，各标签要均匀。其他任务先写输入。
7. 严格按照示例的格式接着编号往下写，任务之间用一行###隔开。""",
    instructions="""\
请为一个只读写文字的助手编写{count}条新指令，每行一条，按示例接着编号。动词、话题和任务类型要多样，\
也要有能用少数几个标签之一来回答的任务。助手只有文字能力：不能看图、听声音、打开文件或网页，也不能执行任何动作。\
每条用中文写一到两句话，不要写出具体的输入。""",
    decision="这个任务是分类任务吗？也就是说，正确答案是否总是事先可以列出的少数几个标签之一？只回答“是”或“否”。",
    instance="""\
请按示例的格式为最后一个任务写一个实例。输入是真实、具体的内容，不超过100字，不能是占位符；\
指令不需要输入时写{no_input}。输出是正确、完整的回答，不超过100字。""",
    check="请完成任务，只给出答案，不要解释。",
    programs=("编写一个程序", "写一个程序", "编写程序"),
    cannot_do=(
        "图像", "图片", "照片", "文件", "图表", "图层", "曲线图", "折线图", "直线图", "柱形图", "饼状图", "流程图",
        "视频", "音频", "链接", "http",
    ),
)  # fmt: skip

WORDINGS = {"en": EN, "zh": ZH}
