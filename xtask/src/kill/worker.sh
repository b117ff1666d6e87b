# Lives as its prompt says (`job-7 for 0.120 3`, `job-7 flaky 0.120 0`, `job-7 ever 0 0`, `job-7 until go 6`), and keeps a book
# in which nobody else writes: word, task, attempt, pid, seconds since boot, and the job or the exit code.
place="${0%/kinds/*}"
note() {
    read -r up rest < /proc/uptime
    echo "$1 $MAINSTAY_TASK_ID $MAINSTAY_ATTEMPT $$ $up $2" >> "$place/book"
}
read -r job how what code
[ "$how" = ever ] && trap '' TERM
[ "$how" = flaky ] && [ "$MAINSTAY_ATTEMPT" = 1 ] && code=75
note begin "$job"
note effect "$job"
[ -e "$place/sabotage-twice" ] && note begin "$job"
case $how in
    for | flaky) sleep "$what" ;;
    ever) while :; do sleep 0.05; done ;;
    until) until [ -e "$place/$what" ]; do sleep 0.02; done ;;
esac
note end "$code"
exit "$code"
