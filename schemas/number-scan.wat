;; Looks through a text for where JSON.parse may lose something of it, sixteen bytes at a time. The text begins at 0; what is behind it may be anything.
(module
  (memory (export "memory") 2)
  ;; Where each call leaves how many opening brackets and braces it met, in strings too, and behind the text: at least as many as there are.
  (global $opens i32 (i32.const 0x1fff0))

  ;; The first place from $at on, before $end, that is the sixteenth or a later of so many digits and dots in a row, or an e behind a digit; -1 without one.
  (func (export "look") (param $at i32) (param $end i32) (result i32)
    (local $bytes v128)
    (local $lower v128)
    (local $digits i32)
    (local $parts i32)
    (local $others i32)
    (local $powers i32)
    (local $run i32)
    (local $first i32)
    (local $carry i32)
    (local $found i32)
    (local $count i32)
    (loop $more
      (if (i32.ge_s (local.get $at) (local.get $end))
        (then
          (i32.store (global.get $opens) (local.get $count))
          (return (i32.const -1))))
      (local.set $bytes (v128.load (local.get $at)))
      (local.set $lower (v128.or (local.get $bytes) (i8x16.splat (i32.const 0x20))))
      (local.set $count
        (i32.add (local.get $count) (i32.popcnt (i8x16.bitmask (i8x16.eq (local.get $lower) (i8x16.splat (i32.const 0x7b)))))))
      (local.set $digits
        (i8x16.bitmask (i8x16.lt_u (i8x16.sub (local.get $bytes) (i8x16.splat (i32.const 0x30))) (i8x16.splat (i32.const 10)))))
      (local.set $parts (i32.or (local.get $digits) (i8x16.bitmask (i8x16.eq (local.get $bytes) (i8x16.splat (i32.const 0x2e))))))
      (local.set $powers
        (i32.and
          (i8x16.bitmask (i8x16.eq (local.get $lower) (i8x16.splat (i32.const 0x65))))
          (i32.or (i32.shl (local.get $digits) (i32.const 1)) (local.get $carry))))
      (local.set $carry (i32.shr_u (local.get $digits) (i32.const 15)))
      (local.set $found (i32.const -1))
      (local.set $others (i32.xor (local.get $parts) (i32.const 0xffff)))
      ;; How many of the row so far go on here.
      (local.set $first (select (i32.const 16) (i32.ctz (local.get $others)) (i32.eqz (local.get $others))))
      (if (i32.gt_s (local.get $first) (i32.sub (local.get $end) (local.get $at)))
        (then (local.set $first (i32.sub (local.get $end) (local.get $at)))))
      (if (i32.and
            (i32.ge_s (i32.add (local.get $run) (local.get $first)) (i32.const 16))
            (i32.gt_s (local.get $first) (i32.const 0)))
        (then (local.set $found (i32.add (local.get $at) (i32.sub (local.get $first) (i32.const 1))))))
      (if (i32.eqz (local.get $others))
        (then (local.set $run (i32.add (local.get $run) (i32.const 16))))
        (else (local.set $run (i32.clz (i32.shl (local.get $others) (i32.const 16))))))
      (if (local.get $powers)
        (then
          (local.set $first (i32.add (local.get $at) (i32.ctz (local.get $powers))))
          (if (i32.or (i32.eq (local.get $found) (i32.const -1)) (i32.lt_s (local.get $first) (local.get $found)))
            (then (local.set $found (local.get $first))))))
      (if (i32.ne (local.get $found) (i32.const -1))
        (then
          (i32.store (global.get $opens) (local.get $count))
          (return (select (local.get $found) (i32.const -1) (i32.lt_s (local.get $found) (local.get $end))))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $more))
    (i32.const -1)))
