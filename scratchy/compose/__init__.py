"""The one place where rooms are put together: stores by URL, providers by name, the choice among them, toolsets.

Each room is imported when it is asked for, so that nobody pays for what he does not use.
"""

from scratchy.compose.exchange import WRITTEN as WRITTEN
from scratchy.compose.exchange import Stored as Stored
from scratchy.compose.exchange import append_lines as append_lines
from scratchy.compose.exchange import encoded_id as encoded_id
from scratchy.compose.exchange import export as export
from scratchy.compose.exchange import export_format as export_format
from scratchy.compose.exchange import jsonl_lines as jsonl_lines
from scratchy.compose.files import file_difference as file_difference
from scratchy.compose.files import put_back as put_back
from scratchy.compose.files import standing as standing
from scratchy.compose.imports import event_as_message as event_as_message
from scratchy.compose.imports import keep_blobs as keep_blobs
from scratchy.compose.imports import read_transcripts as read_transcripts
from scratchy.compose.providers import PROVIDERS as PROVIDERS
from scratchy.compose.providers import Choice as Choice
from scratchy.compose.providers import check_providers as check_providers
from scratchy.compose.providers import choose_provider as choose_provider
from scratchy.compose.providers import endpoint_of as endpoint_of
from scratchy.compose.providers import list_models as list_models
from scratchy.compose.providers import open_provider as open_provider
from scratchy.compose.providers import provider_url as provider_url
from scratchy.compose.providers import with_keys as with_keys
from scratchy.compose.providers import wrap_provider as wrap_provider
from scratchy.compose.searching import forget_index as forget_index
from scratchy.compose.searching import open_index as open_index
from scratchy.compose.searching import warm_index as warm_index
from scratchy.compose.stores import as_stored as as_stored
from scratchy.compose.stores import open_folder as open_folder
from scratchy.compose.stores import open_scratchpad as open_scratchpad
from scratchy.compose.stores import open_store as open_store
from scratchy.compose.tools import message_context as message_context
from scratchy.compose.tools import modes as modes
from scratchy.compose.tools import open_tools as open_tools
from scratchy.compose.tools import role_message as role_message
from scratchy.compose.tools import system_message as system_message
from scratchy.compose.tools import tool_from_function as tool_from_function
from scratchy.compose.tools import tool_from_schema as tool_from_schema
from scratchy.config import Config as Config
from scratchy.config import titles_wanted as titles_wanted
from scratchy.config import transcript_wanted as transcript_wanted
from scratchy.system import birth_time as birth_time
from scratchy.system import first_bytes as first_bytes
