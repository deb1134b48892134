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
__terrarium_n=0 __terrarium_c=0
# By the number of a prompt: [x] marks are parts of the prompts, which bash writes to its standard error; [y] they are written to the
# terminal. A file, or a program, would keep the key for others to read. A prompt can test nothing but whether an element is set.
__terrarium_x=() __terrarium_y=()
# Whether 3, which was standard error, is the terminal that the shell reads from.
__terrarium_there() { [[ -t 3 && ( /dev/fd/3 -ef /dev/fd/0 || /dev/fd/3 -ef /dev/tty ) ]]; }
__terrarium_look() {
    { set +xe; } 2>/dev/null
    __terrarium_there && builtin echo 1
}
__terrarium_tell() {
    { local -; set +xe; } 2>/dev/null
    builtin printf '\e]133;%s;%s;%s\a' "$1" "$2" "$__terrarium_k" >/dev/tty
}
__terrarium_prompt() {
    { local s=$? -; set +xe; } 2>/dev/null
    local x='${__terrarium_x[__terrarium_' y='${__terrarium_y[__terrarium_c]+$( (__terrarium_tell ' n=';$__terrarium_n;${__terrarium_k}'
    # A line of a paste has a prompt that is not shown and that this function does not see: a process looks then.
    local d='\['$x's=$?,__terrarium_n+=1,0]-}${__terrarium_k:+${__terrarium_x[0'$x'n]=$({ __terrarium_look; } 3>&2 2>/dev/null)}*0]-}}'
    d+=$x$'n]:+\e]133;D;$__terrarium_s'$n$'\a}\\]'
    local b='\['$x$'n]:+\e]133;B'$n$'\a}'$x'c=__terrarium_n,0]-}\]'
    # What others put in front of it (`activate` of a Python venv) would be a command's output.
    case ${PS1-} in "$d"*"$b") ;; *) PS1=${PS1-}; PS1=${PS1//"$d"}; PS1=$d${PS1//"$b"}$b ;; esac
    case ${PS2-} in *';${__terrarium_k}'*) ;; *)
        PS2='\['$x$'c]:+\e]133;S'$n$'\a}'$y'S $__terrarium_n) 2>/dev/null)}\]'${PS2-} ;;
    esac
    # What a command does to standard error counts for what comes after it.
    case ${PS0-} in *';${__terrarium_k}'*) ;; *)
        PS0=${PS0-}$x$'c]:+\e]133;C'$n$'\a}'$y'C $__terrarium_n) 2>/dev/null)}'$x'c=0]-}' ;;
    esac
    (( n = __terrarium_n + 1 ))
    __terrarium_x=([n]=) __terrarium_y=()
    if __terrarium_there; then
        __terrarium_x[n]=1
    elif [[ ${PROMPT_COMMAND@a} == *a* ]]; then
        __terrarium_y[n]=1
        __terrarium_tell "D;$s" "$n"
        __terrarium_tell B "$n"
    fi
}
# As an element of its own, each of which is given the status (bash 5.1). In a group, so that a shell that traces (`set -x`) does not
# show the call.
if [[ ${PROMPT_COMMAND@a} == *a* ]] || (( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501 )); then
    PROMPT_COMMAND=("${PROMPT_COMMAND[@]-}" '{ __terrarium_prompt; } 3>&2 2>/dev/null')
else
    PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}{ __terrarium_prompt; } 3>&2 2>/dev/null"
fi
set +o histexpand
unset HISTFILE
bind 'set enable-bracketed-paste on' 2>/dev/null
