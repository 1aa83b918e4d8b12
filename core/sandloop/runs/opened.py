"""Files of then and of now whose bytes differ, opened in a sandbox of their own: do their cells differ too, and which?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sandloop.comparing.made import FILES_EACH, Made, kind_of, too_large
from sandloop.comparing.opened import OVERALL_SECONDS, names_inside, said_inside
from sandloop.comparing.said import Looked, SaidDifference, SaidGroup, checked
from sandloop.errors import SandloopError
from sandloop.events import FileMade
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.result import ResultFile
from sandloop.runs.differences import CellsSeen
from sandloop.store import FileStore


async def cells_seen(
    pairs: Sequence[tuple[FileMade, FileMade]], store: FileStore, *, options: SandboxOptions, limits: Limits
) -> dict[str, CellsSeen]:
    """What came of comparing the cells of each pair, then and now, by name. Raises nothing for a bad file.

    Args:
        store: Where their bytes are.
        options: Which sandbox opens them; it is a sealed one whatever they say.
    """
    files = [ResultFile(made, store) for pair in pairs for made in pair]
    made = [Made(id_, id_ % 2, file, kind_of(file)) for id_, file in enumerate(files)]
    why = dict.fromkeys(range(2 * FILES_EACH, len(made)), f"only {FILES_EACH} files are") | too_large(made)
    why |= {m.id: "its bytes are no longer kept" for m in made if not store.has(m.file.sha256)}
    both = list(zip(made[::2], made[1::2], strict=True))
    told = {m.file.name: why.get(m.id) or why[n.id] for m, n in both if m.id in why or n.id in why}
    wanted = [pair for pair in both if pair[0].file.name not in told]
    looked, reason = await _looked(wanted, options, limits) if wanted else (Looked(), "")
    groups = {group.files: group for group in looked.groups}
    seen = {name: CellsSeen(same=None, said=said) for name, said in told.items()}
    for then, now in wanted:
        group = groups.get((then.id, now.id))
        unread = reason or looked.unread.get(then.id, "nothing came of it")
        seen[then.file.name] = CellsSeen(same=None, said=unread) if group is None or group.unknown else _seen(group)
    return seen


async def _looked(pairs: Sequence[tuple[Made, Made]], options: SandboxOptions, limits: Limits) -> tuple[Looked, str]:
    """What was found, or why nothing was."""
    made = [m for pair in pairs for m in pair]
    names = names_inside(made)
    given = [{"ids": [m.id for m in pair], "paths": [names[m.file.sha256] for m in pair]} for pair in pairs]
    try:
        async with asyncio.timeout(OVERALL_SECONDS):
            return checked(await said_inside("exact", given, made, names, options=options, limits=limits), made), ""
    except TimeoutError:
        return Looked(), f"it took over {OVERALL_SECONDS:.0f} s"
    except (SandloopError, OSError, ValueError) as error:
        return Looked(), f"no sandbox could: {error}"


def _seen(group: SaidGroup) -> CellsSeen:
    if len(group.classes) == 1:
        return CellsSeen(same=True)
    told = [words(difference) for outcome in group.outcomes for difference in outcome.differences]
    more = sum(outcome.more for outcome in group.outcomes)
    return CellsSeen(same=False, said="\n".join([*told, f"… {more} more differences"] if more > 0 else told))


def words(difference: SaidDifference) -> str:
    """One difference for a person: `Sheet!B3 is 11.9, then 12.4`."""
    then, now, sheet = (" ".join(text.split()) for text in (difference.a, difference.b, difference.sheet))
    match difference.what:
        case "cell":
            return f"{f'{sheet}!' if sheet else ''}{difference.place} is {now}, then {then}"
        case "rows":
            return f"{f'{sheet} has ' if sheet else ''}{now} rows, then {then}"
        case "sheets":
            return "; ".join(f"only {when} has the sheets {names}" for when, names in (("now", now), ("then", then)) if names)
        case _:
            return "they differ"
