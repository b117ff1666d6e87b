# What stands in for systemd in a drill: starts `current` of the releases beside it whenever the daemon has ended, and counts
# how often it ended by itself. `restart` ends the daemon, by force when it has not ended within a second. Nothing is started as
# long as there is a file `paused`.
here=${0%/*}
case $1 in
    run)
        n=0
        # Also without anybody left who would say stop.
        while [ ! -e "$here/stopping" ] && kill -0 "$PPID" 2> /dev/null; do
            if [ -e "$here/opt/current" ] && [ ! -e "$here/paused" ]; then
                # Its pid is known before it runs: who restarts it finds it, or it starts as what is current by then. Not by the
                # link: while a shell comes up for a release that is a script, the link may come to lead to one that is none.
                /bin/sh -c 'echo $$ > "$0/pid.new" && mv "$0/pid.new" "$0/pid" &&
                    release=$(readlink -f "$0/opt/current") &&
                    exec "$release/bin/mainstay" --config "$0/mainstay.toml" run' "$here" >> "$here/daemon.log" 2>&1 &
                wait $!
                echo $? > "$here/ended"
                rm -f "$here/pid"
                if [ -e "$here/wanted" ]; then rm "$here/wanted"; else n=$((n + 1)); echo $n > "$here/restarts"; fi
            fi
            sleep 0.02
        done
        ;;
    restart | stop)
        [ "$1" = restart ] || touch "$here/stopping"
        pid=$(cat "$here/pid" 2> /dev/null) || exit 0
        touch "$here/wanted"
        kill -TERM "$pid" 2> /dev/null || exit 0
        i=0
        while kill -0 "$pid" 2> /dev/null; do
            i=$((i + 1))
            # Ten times: each is a process, and on a busy machine many of them take longer than who waits for this allows.
            [ "$1" = stop ] || [ $i -le 10 ] || kill -KILL "$pid" 2> /dev/null
            sleep 0.1
        done
        ;;
    status)
        echo "restarts=$(cat "$here/restarts" 2> /dev/null || echo 0)"
        ;;
esac
