"""The one line that says who agrees with whom: `3 of 4 agree: 12.4 %; gemini says 11.9 %, because it dropped 3 rows`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandloop.comparing.comparison import Entry, short_label
from sandloop.comparing.facts import Facts
from sandloop.comparing.groups import Relation, connected
from sandloop.comparing.labels import words_of
from sandloop.comparing.numbers import Row, sought_kind
from sandloop.comparing.reasons import reason, unseen
from sandloop.comparing.sameness import same
from sandloop.comparing.stated import Stated
from sandloop.comparing.words import WordRow
from sandloop.printable import printable

SHOWN_VALUES, SHOWN_GROUPS, SHOWN_NAMES = 3, 4, 4
_LENGTH = 48
_FILES_LENGTH = 180
"""Of a difference between files, which names two entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that the line is made from."""

    entries: Sequence[Entry]
    question: str
    groups: Sequence[Sequence[int]]
    pairs: Relation
    numbers: Sequence[Row]
    words: WordRow | None
    tolerance: float
    facts: Mapping[int, Facts]
    file_differences: Mapping[tuple[int, int], str]
    """In words, for two entries whose tables differ, the smaller position first."""

    def label(self, at: int) -> str:
        return short_label(self.entries[at].label or self.entries[at].model)


def verdict(seen: Seen) -> str:
    """The line."""
    answered = [at for at, entry in enumerate(seen.entries) if entry.answered]
    failed = [at for at in range(len(seen.entries)) if at not in answered]
    if not answered:
        return "None answered" + _failures(seen, failed)
    return _answers(seen, answered) + _failures(seen, failed)


def _answers(seen: Seen, answered: Sequence[int]) -> str:
    if len(answered) == 1:
        said = _alone(seen, answered[0])
        doubt = ", which stands in none of its outputs" if unseen(seen.facts[answered[0]], said) else ""
        return f"Only {seen.label(answered[0])} answered{f': {said}' if said else ''}{doubt}"
    if not seen.pairs:
        return f"{len(answered)} answered, with nothing to compare but words: they are left to the reader"
    alone = [at for at in answered if not connected(at, seen.pairs)]
    groups = [group for group in seen.groups if group[0] not in alone]
    line = _agreeing(seen, answered, groups[0]) if len(groups) == 1 else _differing(seen, answered, groups)
    return line + "".join(f"; {seen.label(at)} gives nothing to compare" for at in alone[:SHOWN_GROUPS])


def _agreeing(seen: Seen, answered: Sequence[int], group: Sequence[int]) -> str:
    said = _common(seen, group)
    who = f"{len(group)} of {len(answered)}" if len(group) < len(answered) else "Both" if len(group) == 2 else f"All {len(group)}"
    return f"{who} agree{f': {said}' if said else ''}{_unseen(seen, group, _common_rows(seen, group))}"


def _differing(seen: Seen, answered: Sequence[int], groups: Sequence[Sequence[int]]) -> str:
    if len(groups[0]) == len(groups[1]):
        return _no_majority(seen, groups)
    most, rest = groups[0], groups[1:]
    key = next((row for group in rest if (row := _differing_row(seen, most, group)) is not None), None)
    said = f"{_about(seen, key)}{_value(seen, most, key)}" if _value(seen, most, key) else _common(seen, most)
    doubt = _unseen(seen, most, [key] if key is not None else _common_rows(seen, most))
    parts = [f"{len(most)} of {len(answered)} agree{f': {said}' if said else ''}{doubt}"]
    parts.extend(_against(seen, most, group, key) for group in rest[:SHOWN_GROUPS])
    if len(rest) > SHOWN_GROUPS:
        parts.append(f"{len(rest) - SHOWN_GROUPS} more differ")
    return "; ".join(parts)


def _against(seen: Seen, most: Sequence[int], group: Sequence[int], key: Row | WordRow | None) -> str:
    """What a group says where the majority says another thing, with the reason where the record has one."""
    row = key if key is not None and _rows_differ(seen, key, most, group) else _differing_row(seen, most, group)
    who, verb = _names(seen, group), "say" if len(group) > 1 else "says"
    if row is None:
        return _other_files(seen, most, group)
    value = _value(seen, group, row)
    where = "" if row is key else _where(seen, most, row)
    because = reason(seen.facts[group[0]], [seen.facts[at] for at in most], value) if len(group) == 1 else None
    return f"{who} {verb} {value}{where}{because or ''}"


def _no_majority(seen: Seen, groups: Sequence[Sequence[int]]) -> str:
    first, second = groups[0], groups[1]
    row = _differing_row(seen, first, second)
    if len(groups) == 2 and len(first) == len(second) == 1:
        return _one_to_one(seen, first[0], second[0], row)
    if row is None:
        common = _common(seen, [at for group in groups for at in group])
        told = short(next(iter(seen.file_differences.values()), ""), _FILES_LENGTH)
        return f"No majority: {f'all say {common}, but ' if common else ''}the files differ{f': {told}' if told else ''}"
    values = [(group, _value(seen, group, row) or _alone(seen, group[0])) for group in groups[:SHOWN_GROUPS]]
    said = [f"{_names(seen, group)} {'say' if len(group) > 1 else 'says'} {value or 'something else'}" for group, value in values]
    more = f"; {len(groups) - SHOWN_GROUPS} more differ" if len(groups) > SHOWN_GROUPS else ""
    return f"No majority: {'; '.join(said)}{more}"


def _one_to_one(seen: Seen, first: int, second: int, row: Row | WordRow | None) -> str:
    if row is None:
        said, differ = _common(seen, [first, second]), _other_files(seen, [first], [second])
        return f"Both say {said}, but {differ}" if said else differ
    found = [
        (because, a, b)
        for a, b in ((first, second), (second, first))
        if (because := reason(seen.facts[b], [seen.facts[a]], _value(seen, [b], row))) is not None
    ]
    because, a, b = min(found, key=lambda item: item[0].rank, default=(None, first, second))
    said = f"{seen.label(a)} says {_value(seen, [a], row)}, {seen.label(b)} {_value(seen, [b], row)}"
    return f"{_about(seen, row)}{said}{because or ''}"


def _about(seen: Seen, row: Row | WordRow | None) -> str:
    """What a value is of, where there are several values that could be meant."""
    what = "" if row is None or len(_rows(seen)) < 2 else _what(row)
    return f"{what}: " if what else ""


def _other_files(seen: Seen, most: Sequence[int], group: Sequence[int]) -> str:
    for a in group:
        for b in most:
            if (told := seen.file_differences.get((min(a, b), max(a, b)))) is not None:
                return f"the files of {_names(seen, group)} differ: {short(told, _FILES_LENGTH)}"
    return f"{_names(seen, group)} {'differ' if len(group) > 1 else 'differs'}"


def _failures(seen: Seen, failed: Sequence[int]) -> str:
    told = [f"{seen.label(at)} did not answer{_error(seen.entries[at])}" for at in failed]
    more = f"; {len(told) - SHOWN_GROUPS} more did not answer" if len(told) > SHOWN_GROUPS else ""
    return "".join(f"; {text}" for text in told[:SHOWN_GROUPS]) + more


def _error(entry: Entry) -> str:
    return f" ({short(entry.error)})" if entry.error else ""


def _alone(seen: Seen, at: int) -> str:
    """The number that an answer is about."""
    own = [row.members[at] for row in seen.numbers if at in row.members]
    return short(max(own, key=lambda number: _asked(seen, number)).text) if own else ""


def _asked(seen: Seen, number: Stated) -> tuple[bool, int]:
    """How much the question asks for it: for its kind, and with how many of its words."""
    sought = sought_kind(seen.question)
    return sought is not None and sought(number), len(set(words_of(seen.question)) & set(number.label.words))


def _rows(seen: Seen) -> list[Row | WordRow]:
    """What can be told, that which the question asks for first."""

    def asked(row: Row) -> tuple[bool, int]:
        return max(_asked(seen, member) for member in row.members.values())

    shared = [row for row in seen.numbers if len(row.members) > 1]
    return [*([seen.words] if seen.words is not None else []), *sorted(shared, key=asked, reverse=True)]


def _common(seen: Seen, group: Sequence[int]) -> str:
    """What all of a group say, the first three values."""
    values = list(dict.fromkeys(_value(seen, group, row) for row in _common_rows(seen, group)))
    more = f" and {len(values) - SHOWN_VALUES} more" if len(values) > SHOWN_VALUES else ""
    return ", ".join(values[:SHOWN_VALUES]) + more


def _common_rows(seen: Seen, group: Sequence[int]) -> list[Row | WordRow]:
    """What all of a group say something of; of a group that has nothing single in common, what several of it do."""
    shared = [row for row in _rows(seen) if sum(at in row.members for at in group) > 1]
    return [row for row in shared if all(at in row.members for at in group)] or shared


def _unseen(seen: Seen, group: Sequence[int], rows: Sequence[Row | WordRow]) -> str:
    """Which of a group give a number, of those that the line names, that their own records have nowhere."""
    rows = rows[:SHOWN_VALUES]
    who = [at for at in group if any(at in row.members and unseen(seen.facts[at], row.members[at].text) for row in rows)]
    if not who:
        return ""
    what = "that number stands in none of" if len(rows) == 1 else "not all of these numbers stand in"
    return f"; {what} the outputs of {_names(seen, who)}"


def _differing_row(seen: Seen, a: Sequence[int], b: Sequence[int]) -> Row | WordRow | None:
    return next((row for row in _rows(seen) if _rows_differ(seen, row, a, b)), None)


def _rows_differ(seen: Seen, row: Row | WordRow, a: Sequence[int], b: Sequence[int]) -> bool:
    pairs = [(x, y) for x in a for y in b if x in row.members and y in row.members]
    if isinstance(row, WordRow):
        return any(row.agree(x, y) is False for x, y in pairs)
    return any(not same(row.members[x], row.members[y], seen.tolerance) for x, y in pairs)


def _value(seen: Seen, group: Sequence[int], row: Row | WordRow | None) -> str:
    """What the first of a group that says something there says."""
    if row is None:
        return ""
    return next((short(row.members[at].text) for at in group if at in row.members), "")


def _what(row: Row | WordRow) -> str:
    if isinstance(row, WordRow):
        return ""
    return next((short(member.label.what) for member in row.members.values() if member.label.what), "")


def _where(seen: Seen, most: Sequence[int], row: Row | WordRow) -> str:
    what, theirs = _what(row), _value(seen, most, row)
    return f" for {what}" * bool(what) + f", not {theirs}" * bool(theirs)


def _names(seen: Seen, group: Sequence[int]) -> str:
    names = [seen.label(at) for at in group[:SHOWN_NAMES]]
    if len(group) > SHOWN_NAMES:
        return f"{', '.join(names)} and {len(group) - SHOWN_NAMES} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def short(text: str, length: int = _LENGTH) -> str:
    """Others' text in one line that is safe to show."""
    clean = printable(" ".join(text[: 4 * length].split()))
    return clean if len(clean) <= length else clean[: length - 1] + "…"
