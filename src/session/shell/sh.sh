# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "$ENV"
unset ENV HISTFILE __terrarium_k
# Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
__terrarium_k=@KEY@
readonly __terrarium_k
__terrarium_n=0
PS1='@ESC@]133;D;$?;$((__terrarium_n=__terrarium_n+1));${__terrarium_k}@BEL@$ @ESC@]133;B;$__terrarium_n;${__terrarium_k}@BEL@'
PS2='@ESC@]133;S;$__terrarium_n;${__terrarium_k}@BEL@> '
_t() { set -- "$?"; command printf "\033]133;C;%s;%s\007" "$__terrarium_n" "$__terrarium_k"; return "$1"; } 2>/dev/null
