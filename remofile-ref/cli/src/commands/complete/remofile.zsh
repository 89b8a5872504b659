#compdef remofile
# zsh completion for remofile

_remofile() {
    local -a reply values displays open_values open_displays
    local line value text
    reply=("${(@f)$("${(Q)words[1]}" __complete zsh -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
    case ${reply[1]} in
        files) _files; return ;;
        directories) _files -/; return ;;
        words) ;;
        *) return 1 ;;
    esac
    for line in "${(@)reply[2,-1]}"; do
        value=${line%%$'\t'*}
        text=${line#*$'\t'}
        [[ $line == *$'\t'* ]] && text="$value  -- $text" || text=$value
        # A directory or a flag with a value goes on.
        if [[ $value == *[/=] ]]; then
            open_values+=("$value")
            open_displays+=("$text")
        else
            values+=("$value")
            displays+=("$text")
        fi
    done
    local result=1
    (( $#values )) && compadd -d displays -a values && result=0
    (( $#open_values )) && compadd -S '' -d open_displays -a open_values && result=0
    return result
}

if [[ ${funcstack[1]} == _remofile ]]; then
    _remofile "$@"
else
    compdef _remofile remofile
fi
