# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- $ZDOTDIR/.zshrc
ZDOTDIR=$HOME
PS1='%# '
[[ -r ~/.zshrc ]] && source ~/.zshrc
typeset -gi __terrarium_n=0
__terrarium_precmd() {
    { local __terrarium_s=$?; emulate -L zsh; setopt noxtrace noerrexit nounset noallexport } 2>/dev/null
    builtin print -rn -- $'\e]133;D;'$__terrarium_s';'$((__terrarium_n += 1))$';@KEY@\a'
    # Prompts are exported, by `activate` of a Python venv for one: they name the key and do not hold it.
    typeset -g +x PSVAR
    psvar[8]=@KEY@
    psvar[9]=$__terrarium_n
    [[ $PS1 == *';%8v'* ]] || PS1=$PS1$'%{\e]133;B;%9v;%8v\a%}'
    [[ $PS2 == *';%8v'* ]] || PS2=$'%{\e]133;S;%9v;%8v\a%}'$PS2
}
__terrarium_preexec() {
    { emulate -L zsh; setopt noxtrace noerrexit nounset } 2>/dev/null
    builtin print -rn -- $'\e]133;C;'$__terrarium_n$';@KEY@\a'
}
precmd_functions=(__terrarium_precmd $precmd_functions)
preexec_functions+=(__terrarium_preexec)
unsetopt PROMPT_SP PROMPT_CR BANG_HIST
setopt INTERACTIVE_COMMENTS
unset HISTFILE
