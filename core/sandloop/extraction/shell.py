"""Whether text is shell: by its first command where it is code for certain, line by line where nobody tagged it."""

from __future__ import annotations

import re

_COMMANDS = (
    "ls|cat|head|tail|wc|grep|awk|sed|cut|sort|uniq|find|echo|pip|pip3|cd|pwd|mkdir|cp|mv|rm|unzip|tar|python|python3|file|du|df|"
    "export|set|curl|wget|which|env|chmod|touch|tree|stat|sqlite3|jq|xargs|printf|for|while|if|gzip|gunzip|zcat|less|tr|tee|apt-get|apt"
)
_SHELL_LINE = re.compile(rf"\s*(?:\$\s+)?(?:sudo\s+)?(?:{_COMMANDS})(?:\s|$)")
_ALONE = re.compile(r"(?:ls|pwd|nproc|tree|df -h|free -\w+|pip3? (?:list|freeze|show [\w-]+)|python3? (?:-V|--version|-c 'x'))\s*$")
_NO_ENGLISH = re.compile(r"(?:ls|cd|mkdir|rmdir)(?:\s+[\w./*~-]+)+\s*$")
_ARGUMENT = (
    r"(?:\s+(?>(?:-{1,2}\w\S*|\+\d+|-|\.{1,2}|[\w./*?~-]*[/*][\w./*?~-]*|[\w*?-]+\.[A-Za-z]\w{0,9}|\d+[bcklw]?|'x'|[\w.-]+=\S*"
    r"|\$\S+|\d?[<>]{1,2}&?\s?\S+)(?=\s|$)))"
)
"""Atomic, since many a word can be read in two ways, and a line has many words."""
_COMMAND = re.compile(
    r"(?:cat|head|tail|wc|grep(?: -\w+)*(?: [\w-]+)?|awk|sed|cut|sort|uniq|find|echo|cp|mv|unzip|zipinfo|tar|file|du|df|stat|jq"
    rf"|zcat|tree|tr|xxd|nl|sqlite3|python3? -c){_ARGUMENT}++\s*$"
)
_PLAIN_COMMAND = re.compile(r"(?:ls|sort|uniq|wc|nl|tr|cut|head|tail|cat|xargs|tee|awk|sed|grep|jq|column|shuf|paste|rev)\b[^|]*$")
_LOOP = re.compile(r"for \w+ in [^;\n]+; ?do .+; ?done\s*$")
_SCRIPT_ON_STDIN = re.compile(r"(?:python3?(?: -)?|cat(?: >{1,2} ?\S+)?) ?<<-? ?[\"']?\w+[\"']?\s*(?:>{1,2} ?\S+)?$")
MOST_LINES = 40


def looks_like_shell(source: str) -> bool:
    """Whether the first line that is no comment starts with a usual command."""
    lines = (line for line in source[:20_000].split("\n") if line.strip() and not line.lstrip().startswith("#"))
    return bool(_SHELL_LINE.match(next(lines, "")))


def names_shell(source: str) -> bool:
    """Whether its first line says that a shell runs it."""
    return bool(re.match(r"\s*#!.*\b(?:ba|z|k)?sh\b", source[:200]))


def is_commands(source: str) -> bool:
    """Whether each line of it is a command that looks into files, with arguments that only a command has.

    `head a.csv` is; `head of the list`, a listing, and a session with its output are not.
    """
    if names_shell(source):
        return True
    lines = [line.strip() for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if not lines or len(source) > 20_000:
        return False
    if _SCRIPT_ON_STDIN.match(lines[0]):
        end = re.search(r"<<-? ?[\"']?(\w+)", lines[0])
        return bool(end) and lines[-1] == (end.group(1) if end else "")
    return len(lines) <= MOST_LINES and all(_is_command(line) for line in lines)


def _is_command(line: str) -> bool:
    if len(line) > 500:
        return False
    if _LOOP.match(line):
        return True
    first, *piped = (part.strip() for part in re.split(r"(?<!\|)\|(?!\|)|&&|;(?=\s)", _without_quotes(line)))
    return _looks(first) and all(_looks(part) or _PLAIN_COMMAND.match(part) for part in piped)


def _looks(command: str) -> bool:
    return any(form.match(command) for form in (_ALONE, _NO_ENGLISH, _COMMAND))


def _without_quotes(line: str) -> str:
    """With what stands in quotes as one word, so that a bar in it divides nothing."""
    return re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "'x'", line)
