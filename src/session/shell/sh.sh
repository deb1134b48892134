# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "$ENV"
unset ENV HISTFILE __terrarium_k
# Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
__terrarium_k=@KEY@
readonly __terrarium_k
__terrarium_n=0
# The key goes to the terminal only: prompts are written to standard error, which may be a file that others read.
__terrarium_mark() {
    { set +x; } 2>/dev/null
    set -- "@ESC@]133;$1;$__terrarium_n;$__terrarium_k@BEL@"
    if command test -t 3 && { command test /dev/fd/3 -ef /dev/fd/0 || command test /dev/fd/3 -ef /dev/tty; }; then
        command printf %s "$1"
    else
        command printf %s "$1" >/dev/tty
    fi
}
__terrarium_e=
__terrarium_d='${__terrarium_e#$((__terrarium_n=__terrarium_n+1))}${__terrarium_k:+$({ __terrarium_mark "D;$?"; } 3>&2 2>/dev/null)}'
__terrarium_b='${__terrarium_k:+$({ __terrarium_mark B; } 3>&2 2>/dev/null)}'
PS1=$__terrarium_d'$ '$__terrarium_b
PS2='${__terrarium_k:+$({ __terrarium_mark S; } 3>&2 2>/dev/null)}> '
# Begins each command. What others put in front of the prompt (`activate` of a Python venv) would be the output of the next one.
_t() {
    set -- "$?"
    case $PS1 in "$__terrarium_d"*) ;; *)
        while case $PS1 in *"$__terrarium_d"*) ;; *) false ;; esac do
            PS1=${PS1%%"$__terrarium_d"*}${PS1#*"$__terrarium_d"}
        done
        PS1=$__terrarium_d$PS1 ;;
    esac
    command printf "\033]133;C;%s;%s\007" "$__terrarium_n" "$__terrarium_k" >/dev/tty
    return "$1"
} 2>/dev/null
# The status that the command before left, for the first of several lines.
_s() { return "$1"; } 2>/dev/null
