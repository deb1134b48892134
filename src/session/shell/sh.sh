# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "$ENV"
unset ENV HISTFILE __terrarium_k
# Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
__terrarium_k=@KEY@
readonly __terrarium_k
__terrarium_n=0
__terrarium_d='@ESC@]133;D;$?;$((__terrarium_n=__terrarium_n+1));${__terrarium_k}@BEL@'
__terrarium_b='@ESC@]133;B;$__terrarium_n;${__terrarium_k}@BEL@'
PS1=$__terrarium_d'$ '$__terrarium_b
PS2='@ESC@]133;S;$__terrarium_n;${__terrarium_k}@BEL@> '
# Begins each command. What others put in front of the prompt (`activate` of a Python venv) would be the output of the next one.
_t() {
    set -- "$?"
    case $PS1 in "$__terrarium_d"*) ;; *)
        while case $PS1 in *"$__terrarium_d"*) ;; *) false ;; esac do
            PS1=${PS1%%"$__terrarium_d"*}${PS1#*"$__terrarium_d"}
        done
        PS1=$__terrarium_d$PS1 ;;
    esac
    command printf "\033]133;C;%s;%s\007" "$__terrarium_n" "$__terrarium_k"
    return "$1"
} 2>/dev/null
# The status that the command before left, for the first of several lines.
_s() { return "$1"; } 2>/dev/null
