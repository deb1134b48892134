# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- $ZDOTDIR/.zshrc
ZDOTDIR=$HOME
PS1='%# '
[[ -r ~/.zshrc ]] && source ~/.zshrc
typeset -gi __terrarium_n=0
__terrarium_precmd() {
    { local __terrarium_s=$?; emulate -L zsh; setopt noxtrace noerrexit nounset noallexport } 2>/dev/null
    # Not to standard output, which may be a file that others read.
    { builtin print -rn -- $'\e]133;D;'$__terrarium_s';'$((__terrarium_n += 1))$';@KEY@\a' >/dev/tty } 2>/dev/null
    # Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
    typeset -g +x PSVAR
    psvar[8]=
    psvar[9]=$__terrarium_n
    # Its editor writes prompts to the terminal; without it they go to standard error.
    if [[ -o zle ]]; then
        psvar[8]=@KEY@
    else
        { builtin print -rn -- $'\e]133;B;'$__terrarium_n$';@KEY@\a' >/dev/tty } 2>/dev/null
    fi
    [[ $PS1 == *';%8v'* ]] || PS1=$PS1$'%(8V.%{\e]133;B;%9v;%8v\a%}.)'
    [[ $PS2 == *';%8v'* ]] || PS2=$'%(8V.%{\e]133;S;%9v;%8v\a%}.)'$PS2
}
__terrarium_preexec() {
    { emulate -L zsh; setopt noxtrace noerrexit nounset } 2>/dev/null
    { builtin print -rn -- $'\e]133;C;'$__terrarium_n$';@KEY@\a' >/dev/tty } 2>/dev/null
}
precmd_functions=(__terrarium_precmd $precmd_functions)
preexec_functions+=(__terrarium_preexec)
unsetopt PROMPT_SP PROMPT_CR BANG_HIST
setopt INTERACTIVE_COMMENTS
unset HISTFILE
