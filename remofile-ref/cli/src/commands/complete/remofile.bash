# bash completion for remofile

_remofile() {
    local reply kind word
    COMPREPLY=()
    mapfile -t reply < <("$1" __complete bash --line="${COMP_LINE:0:COMP_POINT}" --word="$2" 2>/dev/null </dev/null)
    kind=${reply[0]-}
    case $kind in
        files)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$2")
            ;;
        directories)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$2")
            ;;
        words)
            COMPREPLY=("${reply[@]:1}")
            # A directory or a flag with a value goes on.
            for word in "${COMPREPLY[@]}"; do
                [[ $word == *[/=] ]] && compopt -o nospace 2>/dev/null
            done
            ;;
    esac
}

complete -F _remofile remofile
