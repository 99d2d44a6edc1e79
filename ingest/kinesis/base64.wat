;; Base64 (RFC 4648, section 4), twelve bytes at a time: what lies at 0, `$end` bytes of it, goes to 65536 as text.
;; A last round that has fewer than twelve bytes reads and writes beyond them: the caller fills up with zeros and puts the padding.
;; The mapping to letters by ranges is Wojciech Muła's: http://0x80.pl/notesen/2016-01-12-sse-base64-encoding.html
(module
  (memory (export "memory") 2)
  (func (export "encode") (param $end i32)
    (local $from i32) (local $to i32) (local $sixes v128)
    (local $zero v128) (local $second v128) (local $third v128) (local $fourth v128)
    (local $shifts v128) (local $fiftyOne v128) (local $twentySix v128) (local $thirteen v128)
    (local.set $second (v128.const i32x4 0x3f00 0x3f00 0x3f00 0x3f00))
    (local.set $third (v128.const i32x4 0x3f0000 0x3f0000 0x3f0000 0x3f0000))
    (local.set $fourth (v128.const i32x4 0x3f000000 0x3f000000 0x3f000000 0x3f000000))
    ;; What is added, by range: 26 to 51 a-z, 52 to 61 0-9, 62 +, 63 /, and at 13 for 0 to 25 A-Z.
    (local.set $shifts (v128.const i8x16 71 -4 -4 -4 -4 -4 -4 -4 -4 -4 -4 -19 -16 65 0 0))
    (local.set $fiftyOne (i8x16.splat (i32.const 51)))
    (local.set $twentySix (i8x16.splat (i32.const 26)))
    (local.set $thirteen (i8x16.splat (i32.const 13)))
    (local.set $to (i32.const 65536))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        ;; Each three bytes become a number of 24 bits in a lane of 32.
        (local.set $sixes
          (i8x16.shuffle 2 1 0 16 5 4 3 16 8 7 6 16 11 10 9 16 (v128.load (local.get $from)) (local.get $zero)))
        ;; Its four numbers of six bits, each to a byte, the highest first.
        (local.set $sixes
          (v128.or
            (v128.or
              (i32x4.shr_u (local.get $sixes) (i32.const 18))
              (v128.and (i32x4.shr_u (local.get $sixes) (i32.const 4)) (local.get $second)))
            (v128.or
              (v128.and (i32x4.shl (local.get $sixes) (i32.const 10)) (local.get $third))
              (v128.and (i32x4.shl (local.get $sixes) (i32.const 24)) (local.get $fourth)))))
        (v128.store (local.get $to)
          (i8x16.add (local.get $sixes)
            (i8x16.swizzle (local.get $shifts)
              (v128.or
                (i8x16.sub_sat_u (local.get $sixes) (local.get $fiftyOne))
                (v128.and (i8x16.lt_u (local.get $sixes) (local.get $twentySix)) (local.get $thirteen))))))
        (local.set $from (i32.add (local.get $from) (i32.const 12)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $next)))))
