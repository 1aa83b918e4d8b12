"""Code that fights its supervisor, as on the third shelf."""

from __future__ import annotations

from same import same

OTHERWISE = {
    "test_a_file_for_a_folder_without_room_is_refused_and_can_come_later": "fills it by the number of files, which is not limited",
}
"""What only control groups or a container engine can do, and what holds here instead."""

globals().update(same("test_hostile", OTHERWISE))
