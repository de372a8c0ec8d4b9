"""The question before a tool call, asked in the editor. Not here: which calls ask (permissions), the terminal's own."""

import logging
from pathlib import Path

from acp import Client, RequestError
from acp.schema import AllowedOutcome, PermissionOption, ToolCallUpdate

from scratchy.acp.calls import fenced, kind_of, locations_of, passage_diff, summary_of, text_content, title_of
from scratchy.core.events import ApprovalRequested
from scratchy.core.ports import Approval
from scratchy.core.text import reveal, reveal_line

ONCE, ALWAYS, NO = "allow", "always", "no"

log = logging.getLogger("scratchy.acp")


async def ask(client: Client, session_id: str, shown_id: str, request: ApprovalRequested, folder: Path) -> Approval:
    """The person's answer; what is no answer is a no."""
    try:
        answer = await client.request_permission(
            session_id=session_id, tool_call=_shown(shown_id, request, folder), options=_options(request.scope)
        )
    except (RequestError, ValueError) as error:
        log.warning("the editor did not ask: %s", error)
        how = "Start with --yolo to run such calls unasked." if request.scope else "Such calls ask each time."
        return Approval(False, message=f"the editor cannot ask ({error}). {how}")
    chosen = answer.outcome.option_id if isinstance(answer.outcome, AllowedOutcome) else NO
    return Approval(chosen in (ONCE, ALWAYS), always=chosen == ALWAYS and bool(request.scope))


def _options(scope: str) -> list[PermissionOption]:
    always = [PermissionOption(option_id=ALWAYS, name=f"Always for {reveal_line(scope)}", kind="allow_always")]
    return [
        PermissionOption(option_id=ONCE, name="Allow once", kind="allow_once"),
        *(always if scope else []),
        PermissionOption(option_id=NO, name="No", kind="reject_once"),
    ]


def _shown(shown_id: str, request: ApprovalRequested, folder: Path) -> ToolCallUpdate:
    """The call, whole and exact: what hides or reorders is shown escaped."""
    preview = text_content(fenced(reveal(request.preview), "diff" if kind_of(request.name) == "edit" else ""))
    return ToolCallUpdate(
        tool_call_id=shown_id,
        title=title_of(request.name, summary_of(request.call)),
        kind=kind_of(request.name),
        status="pending",
        content=[*passage_diff(request.name, request.arguments, folder), *preview],
        locations=locations_of(request.arguments, folder),
        raw_input=request.arguments,
    )
