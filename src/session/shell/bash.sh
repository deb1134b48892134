# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- "${BASH_SOURCE[0]}"
# Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
unset -v __terrarium_k
__terrarium_k=@KEY@
export -n __terrarium_k
readonly __terrarium_k
PS1='\$ '
PS2='> '
[ -r ~/.bashrc ] && . ~/.bashrc
__terrarium_n=0
__terrarium_prompt() {
    { local -; set +xe; } 2>/dev/null
    # What others put in front of it (`activate` of a Python venv) would be a command's output.
    local d=$'\\[\e]133;D;$?;$((__terrarium_n+=1));${__terrarium_k}\a\\]'
    local b=$'\\[\e]133;B;$__terrarium_n;${__terrarium_k}\a\\]'
    case ${PS1-} in "$d"*"$b") ;; *) PS1=${PS1-}; PS1=${PS1//"$d"}; PS1=$d${PS1//"$b"}$b ;; esac
    case ${PS2-} in *';${__terrarium_k}'*) ;; *) PS2=$'\\[\e]133;S;$__terrarium_n;${__terrarium_k}\a\\]'${PS2-} ;; esac
    case ${PS0-} in *';${__terrarium_k}'*) ;; *) PS0=${PS0-}$'\e]133;C;$__terrarium_n;${__terrarium_k}\a' ;; esac
}
# In a group, so that a shell that traces (`set -x`) does not show the call.
if [[ ${PROMPT_COMMAND@a} == *a* ]]; then
    PROMPT_COMMAND+=('{ __terrarium_prompt; } 2>/dev/null')
else
    PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}{ __terrarium_prompt; } 2>/dev/null"
fi
set +o histexpand
unset HISTFILE
bind 'set enable-bracketed-paste on' 2>/dev/null
