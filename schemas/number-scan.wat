;; Looks through a text for where JSON.parse may lose something of it, sixteen bytes at a time. The text begins at 0 and is followed by at least
;; sixteen bytes that are none of 0-9 . e E.
(module
  (memory (export "memory") 2)
  ;; Opening brackets and braces that were met, in strings too.
  (global $opens (export "opens") (mut i32) (i32.const 0))

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
    (loop $more
      (if (i32.ge_s (local.get $at) (local.get $end)) (then (return (i32.const -1))))
      (local.set $bytes (v128.load (local.get $at)))
      (local.set $lower (v128.or (local.get $bytes) (i8x16.splat (i32.const 0x20))))
      (global.set $opens
        (i32.add (global.get $opens) (i32.popcnt (i8x16.bitmask (i8x16.eq (local.get $lower) (i8x16.splat (i32.const 0x7b)))))))
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
      (if (i32.ne (local.get $found) (i32.const -1)) (then (return (local.get $found))))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $more))
    (i32.const -1)))
