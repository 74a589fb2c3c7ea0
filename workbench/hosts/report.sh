# Print what changed in the runs of a workspace; nothing is written and nothing is started.
#
# Read by `sh` from its input, after these, which `mirror` writes in front:
#   token       begins every part of the answer, so that no content can look like one
#   workspace   the folder, absolute or from the home folder
#   budget      bytes of logs at most, `log_limit` of one log, `file_limit` of another file
#   known       prints "K PATH IDENTITY BYTES" for every file that the reader has
#
# A part is a line "TOKEN KIND WORDS" and its content, up to the next part:
#   host        time, name and boot of this machine
#   missing     there is no such folder
#   empty       it is no workspace, or one without runs
#   run         NAME LOCK FILES: LOCK is held, free or unknown
#   head        PATH: the first bytes of a log that grew, to recognize it
#   file        PATH FROM COUNT IDENTITY: content from a byte on
#   more        the budget was too small for all
#   end         nothing is missing
part() { printf '\n%s %s\n' "$token" "$*"; }

# The inodes of locked files. They are listed before the logs are measured: all that a worker wrote
# before it let go of its lock is read.
held_locks() {
  [ -r /proc/locks ] && awk '
    $2 == "OFDLCK" && $4 == "WRITE" { split($6, place, ":"); printf "%s ", place[3] }
    END { if (!NR) printf "unknown" }' /proc/locks || printf unknown
}

list_files() {
  find -L . -path './.*' -prune -o -path './*/*/*' -prune -o \
    \( -type d -name checkpoints -o -type f \( -name spec.toml -o -name events.jsonl \
    -o -name status.json -o -name run.lock \) \) -exec ls -dlLin {} + 2>/dev/null
}

# Lines for the parts to print: "R NAME LOCK FILES", "F PATH FROM COUNT IDENTITY", "M" for more is
# left, "E" for the end.
changes() {
  { known; list_files; } | awk -v held=" $held " -v budget="$budget" -v log_limit="$log_limit" \
    -v file_limit="$file_limit" '
    $1 == "K" { identity[$2] = $3; bytes[$2] = $4 + 0; next }
    NF != 10 || $2 !~ /^[-d]/ || split($10, part, "/") != 3 { next }
    part[2] !~ /^[A-Za-z0-9][A-Za-z0-9._-]*$/ { next }
    {
      run = part[2]; file = part[3]
      if (!(run in files)) { files[run] = ""; lock[run] = "free"; runs[++count] = run }
      if (file == "run.lock") { if (index(held, " " $1 " ")) lock[run] = "held"; next }
      files[run] = files[run] "," file
      if (file == "checkpoints") next
      size[run, file] = $6 + 0
      inode[run, file] = $1
      stamp[run, file] = $1 ":" $6 ":" $7 $8 $9
    }
    function small(run, file, always,    path) {
      path = "./" run "/" file
      if (!((run, file) in size) || size[run, file] > file_limit) return
      if (identity[path] == stamp[run, file] && !always) return
      print "F", path, 0, file_limit, stamp[run, file]
    }
    function log_of(run,    path, from, length_now) {
      path = "./" run "/events.jsonl"
      if (!((run, "events.jsonl") in size)) return
      length_now = size[run, "events.jsonl"]
      if (length_now > log_limit) length_now = log_limit
      from = identity[path] == inode[run, "events.jsonl"] ? bytes[path] : -1
      if (from == length_now || budget <= 0) return
      if (from < 0 || from > length_now) from = 0
      if (length_now - from > budget) { length_now = from + budget; print "M" }
      budget -= length_now - from
      printf "F %s %d %d %s\n", path, from, length_now - from, inode[run, "events.jsonl"]
    }
    END {
      for (number = 1; number <= count; number++) {
        run = runs[number]
        print "R", run, held == " unknown " ? "unknown" : lock[run], substr(files[run], 2)
        small(run, "spec.toml", 0)
        small(run, "status.json", lock[run] == "held")
        log_of(run)
      }
      print "E"
    }'
}

report() {
  LC_ALL=C
  export LC_ALL
  unset CDPATH
  part host
  date +%s
  uname -n
  cat /proc/sys/kernel/random/boot_id 2>/dev/null
  if ! cd -- "$workspace" 2>/dev/null; then
    part missing
    part end
  elif ! cd saved_models 2>/dev/null; then
    part empty
    part end
  else
    held=$(held_locks)
    changes | while read -r kind path from count identity; do
      case $kind in
        R) part run "$path" "$from" "$count" ;;
        M) part more ;;
        E) part end ;;
        F)
          if [ "$from" -gt 0 ]; then
            part head "$path"
            head -c 64 "$path"
          fi
          part file "$path" "$from" "$count" "$identity"
          tail -c "+$((from + 1))" "$path" | head -c "$count"
          ;;
      esac
    done
  fi
}
report </dev/null 2>/dev/null
