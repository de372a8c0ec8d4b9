"""Which tools come with Scratchy, in their fixed order. Not here: the tools themselves."""

from collections.abc import Callable, Sequence

from scratchy.core.ports import Editor, Tool
from scratchy.permissions import Permissions
from scratchy.scratchpad import Scratchpad
from scratchy.tools.buffers import Files
from scratchy.tools.files import CreateFile, DeleteFile, EditFile, ReadFile
from scratchy.tools.scratch import ScratchpadList, ScratchpadRead
from scratchy.tools.search import ListFiles, SearchFiles, find_ripgrep
from scratchy.tools.sessions import Recall, SearchSessions
from scratchy.tools.shell import CodeExecute, ExecuteCommand
from scratchy.tools.snapshots import Snapshots
from scratchy.tools.web import UrlFetch, WebSearch


def default_tools(
    permissions: Permissions,
    scratchpad: Scratchpad | None = None,
    mentioned: Callable[[str], bool] = lambda entry: False,
    recall: Recall | None = None,
    editor: Editor | None = None,
    passed: Sequence[str] = (),
) -> list[Tool]:
    """The eleven, with a scratchpad its two, with a recall its one. `mentioned(id)`: does this session's transcript
    hold that id? `editor`: whose unsaved text counts. `passed`: key
    variables that commands and code get."""
    ripgrep, files = find_ripgrep(), Files(editor)
    snapshots = Snapshots(permissions, scratchpad, files)
    tools: list[Tool] = [
        ReadFile(permissions, files),
        CreateFile(permissions, snapshots),
        EditFile(permissions, snapshots),
        DeleteFile(permissions, snapshots),
        ListFiles(permissions),
        SearchFiles(permissions, literal=False, ripgrep=ripgrep),
        SearchFiles(permissions, literal=True, ripgrep=ripgrep),
        ExecuteCommand(permissions, passed),
        CodeExecute(permissions, passed),
        WebSearch(),
        UrlFetch(),
    ]
    if scratchpad is not None:
        tools += [ScratchpadRead(scratchpad, mentioned), ScratchpadList(scratchpad, mentioned)]
    if recall is not None:
        tools.append(SearchSessions(recall))
    return tools
