"""The scripts that bash, zsh and fish load to complete `scratchy`. They ask the program itself at each Tab.

What it answers is only ever inserted, never evaluated. Not here: what it answers (completion.py).
"""

import os
import shlex
import shutil
import sys

SHELLS = ("bash", "zsh", "fish")

_BASH = r"""# Completion of scratchy for bash. Load it with:  eval "$(scratchy completion bash)"
_scratchy() {
    local line kind=""
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
    done < <(@PROGRAM@ completion bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
    case $kind in
        files) compopt -o default ;;
        folders) compopt -o dirnames ;;
        open) compopt -o nospace ;;
    esac
}
complete -F _scratchy scratchy
"""

_ZSH = r"""#compdef scratchy
# Completion of scratchy for zsh. Load it after compinit with:  eval "$(scratchy completion zsh)"
_scratchy() {
    local -a lines values shown open
    local tab=$'\t' line head
    lines=("${(@f)$(@PROGRAM@ completion zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
    head=${lines[1]#*$tab}
    [[ -n $head ]] && compset -P "${(b)head}"
    case ${lines[1]%%$tab*} in
        files) _files; return ;;
        folders) _files -/; return ;;
    esac
    for line in "${(@)lines[2,-1]}"; do
        if [[ ${line%%$tab*} == */ ]]; then open+=("${line%%$tab*}"); continue; fi
        values+=("${line%%$tab*}")
        shown+=("${line%%$tab*}  ${line#*$tab}")
    done
    (( $#values )) && compadd -V scratchy -l -d shown -- "${(@)values}"
    (( $#open )) && compadd -V scratchy -S '' -- "${(@)open}"
}
if [[ $funcstack[1] == _scratchy ]]; then _scratchy "$@"; else compdef _scratchy scratchy; fi
"""

_FISH = r"""# Completion of scratchy for fish. Load it with:  scratchy completion fish | source
function __scratchy_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    set -l plain (string unescape -- $word 2>/dev/null; or string trim -l -c "'\"" -- $word)
    set -l lines (@PROGRAM@ completion fish $before[2..-1] "$plain" 2>/dev/null </dev/null)
    set -l first (string split \t -- $lines[1])
    set -l head "$first[2]"
    switch "$first[1]"
        case files
            __fish_complete_path (string replace -- "$head" "" "$plain") | string replace -r '^' -- "$head"
        case folders
            __fish_complete_directories (string replace -- "$head" "" "$plain") "" | string replace -r '^' -- "$head"
        case '*'
            for line in $lines[2..-1]
                printf '%s%s\n' "$head" "$line"
            end
    end
end
complete -c scratchy -f -k -a '(__scratchy_complete)'
"""


def script(shell: str) -> str:
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell].replace("@PROGRAM@", _program())


def _program() -> str:
    """The words that start this program, from any folder and whatever `scratchy` becomes an alias for."""
    called = sys.argv[0]
    if called.endswith(".py"):
        module = called.endswith("__main__.py")
        return shlex.join(
            [os.path.abspath(sys.executable), *(["-m", "scratchy"] if module else [os.path.abspath(called)])]
        )
    found = shutil.which(os.path.basename(called))
    there = shutil.which(called)
    if found and there and os.path.samefile(found, there):
        return f"command {shlex.quote(os.path.basename(called))}"
    return shlex.quote(os.path.abspath(called))
