// Powers and logarithms for scales, without Foundation.
import Glibc

func log(_ value: Double) -> Double { Glibc.log(value) }
func log10(_ value: Double) -> Double { Glibc.log10(value) }
func power10(_ exponent: Int) -> Double { Glibc.pow(10, Double(exponent)) }
func power(_ base: Double, _ exponent: Double) -> Double { Glibc.pow(base, exponent) }
