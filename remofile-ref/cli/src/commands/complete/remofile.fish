# fish completion for remofile

function __remofile_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l reply ($program __complete fish -- $words "$current" 2>/dev/null </dev/null)
    switch "$reply[1]"
        case files
            __fish_complete_path "$current"
        case directories
            __fish_complete_directories "$current"
        case words
            set -e reply[1]
            printf '%s\n' $reply
    end
end

complete -c remofile -f -a '(__remofile_complete)'
