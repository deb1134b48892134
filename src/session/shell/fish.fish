# Tells the terminal where commands begin and end. Removes itself: what it holds is not for programs.
command rm -f -- (status filename)
set -g __terrarium_n 0
function __terrarium_postexec --on-event fish_postexec
    set -l s $status
    set -g __terrarium_n (math $__terrarium_n + 1)
    set -g __terrarium_d
    builtin printf '\e]133;D;%s;%s;@KEY@\a' $s $__terrarium_n
end
function __terrarium_preexec --on-event fish_preexec
    builtin printf '\e]133;C;%s;@KEY@\a' $__terrarium_n
end
function __terrarium_prompt --on-event fish_prompt
    set -l s $status
    # An empty line ends too.
    set -q __terrarium_d
    or begin
        set -g __terrarium_n (math $__terrarium_n + 1)
        builtin printf '\e]133;D;%s;%s;@KEY@\a' $s $__terrarium_n
    end
    set -e __terrarium_d
    builtin printf '\e]133;B;%s;@KEY@\a' $__terrarium_n
end
function __terrarium_cancel --on-event fish_cancel
    set -g __terrarium_n (math $__terrarium_n + 1)
    builtin printf '\e]133;D;130;%s;@KEY@\a\e]133;B;%s;@KEY@\a' $__terrarium_n $__terrarium_n
end
function fish_greeting; end
function fish_title; end
