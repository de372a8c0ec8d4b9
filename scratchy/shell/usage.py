"""What `scratchy --help` shows: one screen, written by hand; a test compares it with the flags that there are.

Not here: the help of each subcommand, which typer makes of its flags.
"""

USAGE = """\
Scratchy, an agent for the terminal that never loses a conversation.

  scratchy                            talk, in the session 'default'
  scratchy -s trip -m ollama/qwen3    open or create a session; a model
  scratchy -c                         go on with this folder's last session
  scratchy -p "Sum up" < notes.txt    answer once, on stdout

Session   -s, --session ID    open, create      -c, --continue    the last here
          -r, --resume [ID]   open, or pick     --fork [ID]       take a copy
          -n, --name TITLE    its title         --no-session      keep nothing
          --sessions-dir DIR  where they lie
Model     -m, --model NAME    or provider/NAME  --provider NAME   see models
          --base-url URL      OpenAI's API      --system TEXT|@FILE
Tools     --approval-mode ask|accept-edits|plan|yolo              -y, --yolo
          --cwd DIR           work there        --add-dir DIR     read there
One shot  -p, --print TEXT    or from stdin     --max-turns N     steps at most
          --output-format text|json|stream-json         --max-budget-usd N
          --input-format text|stream-json
Other     --plain (no repainting)  --verbose (a log)  -V, --version  -h, --help

Commands  session list|show|search|export|import|rename|title|tag|fork|tree
                  watch|verify|delete|restore|trash
          models  config  doctor  acp  completion   each has its own --help"""
