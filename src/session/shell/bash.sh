# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "${BASH_SOURCE[0]}"
PS1='\$ '
PS2='> '
[ -r ~/.bashrc ] && . ~/.bashrc
__terrarium_n=0
__terrarium_prompt() {
    { local -; set +xe; } 2>/dev/null
    case $PS1 in *';@KEY@'*) ;; *)
        PS1=$'\\[\e]133;D;$?;$((__terrarium_n+=1));@KEY@\a\\]'$PS1$'\\[\e]133;B;$__terrarium_n;@KEY@\a\\]' ;;
    esac
    case $PS2 in *';@KEY@'*) ;; *) PS2=$'\\[\e]133;S;$__terrarium_n;@KEY@\a\\]'$PS2 ;; esac
    case ${PS0-} in *';@KEY@'*) ;; *) PS0=${PS0-}$'\e]133;C;$__terrarium_n;@KEY@\a' ;; esac
}
if [[ ${PROMPT_COMMAND@a} == *a* ]]; then
    PROMPT_COMMAND+=(__terrarium_prompt)
else
    PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}__terrarium_prompt"
fi
set +o histexpand
unset HISTFILE
bind 'set enable-bracketed-paste on' 2>/dev/null
