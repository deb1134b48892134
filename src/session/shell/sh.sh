# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "$ENV"
unset ENV HISTFILE
__terrarium_n=0
PS1='@ESC@]133;D;$?;$((__terrarium_n=__terrarium_n+1));@KEY@@BEL@$ @ESC@]133;B;$__terrarium_n;@KEY@@BEL@'
PS2='@ESC@]133;S;$__terrarium_n;@KEY@@BEL@> '
_t() { set -- "$?"; printf "\033]133;C;%s;@KEY@\007" "$__terrarium_n"; return "$1"; } 2>/dev/null
